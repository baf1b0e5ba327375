/** Certificates for servers and clients on 127.0.0.1, made with openssl. */
import { execFileSync } from 'node:child_process';

const REQUEST = [
  ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
  ...['-nodes', '-days', '2'],
];

/** Writes `ca`.crt and .key, and for each name a .crt of that CA and a .key, into `dir`. */
export function makeCertificates(dir: string, ca: string, names: readonly string[]): void {
  const request = (name: string, ...more: string[]): void => {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`];
    execFileSync('openssl', [...REQUEST, ...files, '-subj', `/CN=${name}`, ...more], {
      cwd: dir,
      stdio: 'pipe',
    });
  };
  request(ca);
  const signed = ['-CA', `${ca}.crt`, '-CAkey', `${ca}.key`];
  const extensions = ['subjectAltName=IP:127.0.0.1', 'basicConstraints=critical,CA:FALSE'];
  for (const name of names) request(name, ...signed, ...extensions.flatMap((one) => ['-addext', one]));
}
