/** Runs programs inside a network namespace, for facts that the addon does not read: with a timeout and without a shell. */
import { execFile } from 'node:child_process';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Default timeout, ms; such programs end at once. */
const TIMEOUT = 3_000;

/**
 * Runs a program to its end. An exit code other than 0 is no error.
 * @param path of the namespace; null for the namespace of this process
 * @param input standard input of the program
 * @throws Error, a message of one line, if the program is not installed, cannot be started or takes too long
 */
export function inside(
  path: string | null,
  argv: readonly string[],
  timeout: number = TIMEOUT,
  input = '',
): Promise<Ran> {
  const [file = '', ...args] = path === null ? argv : ['nsenter', `--net=${path}`, '--', ...argv];
  return new Promise((resolve, reject) => {
    const { stdin } = execFile(
      file,
      args,
      {
        timeout,
        killSignal: 'SIGKILL',
        maxBuffer: 64 << 20,
        // LC_ALL, because the output is parsed; PATH, because an unprivileged user's PATH has no sbin.
        env: { ...process.env, LC_ALL: 'C', PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
      },
      (error, stdout, stderr) => {
        if (error === null) resolve({ code: 0, stdout, stderr });
        else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
        else if (error.killed === true) reject(new Error(`${argv[0] ?? ''} took longer than ${timeout} ms`));
        else if (error.code === 'ENOENT') reject(new Error(`${file} is not installed`));
        else reject(new Error(`${file}: ${error.message}`));
      },
    );
    // A program may end without reading its input; its exit code is the result.
    stdin?.on('error', () => undefined);
    stdin?.end(input);
  });
}

/** The standard output of a program. @throws Error with the first line of its standard error if the program failed */
export async function printed(path: string | null, argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await inside(path, argv);
  if (code !== 0)
    throw new Error(stderr.split('\n')[0]?.trim() || `${argv.join(' ')} ended with code ${code}`);
  return stdout;
}

/** Parses the JSON of iproute2, which does not escape control characters in device names. */
export const fromJson = (text: string): unknown =>
  JSON.parse(
    text.replace(/[^\P{Cc}\n\r\t]/gu, (raw) => `\\u${raw.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
