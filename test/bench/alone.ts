/** One bench at a time: two would measure each other, and the machine has one set of neighbour table limits. */
import { once } from 'node:events';
import { type Server, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Abstract: no file, and gone with the process that holds it. */
const NAME = '\0missd-bench';

async function take(): Promise<Server | undefined> {
  const server = createServer();
  try {
    server.listen(NAME);
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
}

/** Waits for another one to end. @returns what lets the next one begin */
export async function alone(): Promise<() => void> {
  let server = await take();
  if (server === undefined) console.error('another bench is running here; waiting for it to end');
  while (server === undefined) {
    await sleep(1_000);
    server = await take();
  }
  const held = server;
  return () => {
    held.close();
  };
}
