import { existsSync } from 'node:fs';

/** The top of the checkout, from the source and from what is compiled of it. */
export const ROOT = up(new URL('.', import.meta.url));

function up(from: URL): URL {
  return existsSync(new URL('package.json', from)) ? from : up(new URL('..', from));
}
