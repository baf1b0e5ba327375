/** The namespace of its own that networks may have (`--overlay-netns`), as Docker's have. */
import { existsSync } from 'node:fs';
import { ipBatch } from '../inspect/ip-batch.ts';
import { readScene } from './scene.ts';

/** Alias of the loopback of a namespace that missd made. */
const MARK = 'missd';
const NAMED = /^\/(?:var\/)?run\/netns\/([^/]+)$/;

/** Makes it where it is missing. @returns what was made, in words. @throws Error where it cannot be made */
export async function ensureOverlay(path: string | null): Promise<string[]> {
  if (path === null || existsSync(path)) return [];
  const [, name] = NAMED.exec(path) ?? [];
  if (name === undefined) throw new Error(`there is no namespace ${path}`);
  await ipBatch(null, [['netns', 'add', name]]);
  await ipBatch(path, [
    ['link', 'set', 'lo', 'alias', MARK],
    ['link', 'set', 'lo', 'up'],
  ]);
  return [`there was no namespace ${name}`];
}

/** Removes it where missd made it and nothing but its loopback is left in it. @returns whether it is removed */
export async function removeOverlay(path: string | null): Promise<boolean> {
  const [, name] = NAMED.exec(path ?? '') ?? [];
  if (path === null || name === undefined || !existsSync(path)) return false;
  const scene = await readScene(path);
  if (scene.get('lo')?.alias !== MARK || scene.size > 1) return false;
  await ipBatch(null, [['netns', 'delete', name]]);
  return true;
}
