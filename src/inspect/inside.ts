/** Programs run inside a network namespace, for what the addon does not read: bounded in time, never a shell line. */
import { execFile } from 'node:child_process';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** A program that tells something tells it at once; one that does not is not waited for, ms. */
const PATIENCE = 3_000;

/**
 * Runs to the end, whatever the exit code.
 * @param path of the namespace, null for our own
 * @throws Error in one line where it is not installed, cannot be started or takes too long
 */
export function inside(
  path: string | null,
  argv: readonly string[],
  timeout: number = PATIENCE,
): Promise<Ran> {
  const [file = '', ...args] = path === null ? argv : ['nsenter', `--net=${path}`, '--', ...argv];
  return new Promise((resolve, reject) => {
    execFile(
      file,
      args,
      {
        timeout,
        killSignal: 'SIGKILL',
        maxBuffer: 64 << 20,
        // What is read by program must not speak the user's language; a user's shell has no sbin in its PATH.
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
  });
}

/** What it printed. @throws Error with its own first words where it failed */
export async function printed(path: string | null, argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await inside(path, argv);
  if (code !== 0)
    throw new Error(stderr.split('\n')[0]?.trim() || `${argv.join(' ')} ended with code ${code}`);
  return stdout;
}

/** What iproute2 prints as JSON. Control characters in a device's name, which the kernel permits, it prints as they are. */
export const fromJson = (text: string): unknown =>
  JSON.parse(
    text.replace(/[^\P{Cc}\n\r\t]/gu, (raw) => `\\u${raw.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
