/**
 * Imports point downwards. A folder of src/ may import from itself and from the storeys below it; folders of one storey
 * do not know each other. Types count as well.
 */
const STOREYS = [
  ['base', 'screen'],
  ['kernel', 'directory'],
  ['model'],
  ['config', 'inspect', 'entries'],
  ['links'],
  ['resolver', 'nft', 'join'],
  ['reconcile', 'proactive', 'replication', 'publish'],
  ['observe'],
  ['daemon', 'lab', 'doctor', 'explain', 'service', 'top'],
  ['cli'],
];

const inFolders = (folders) => `^src/(${folders.join('|')})/`;

export default {
  forbidden: [
    { name: 'no-circle', severity: 'error', from: {}, to: { circular: true } },
    ...STOREYS.map((folders, storey) => ({
      name: `downwards-from-${folders.join('-')}`,
      severity: 'error',
      from: { path: `^src/(${folders.join('|')})/` },
      to: {
        path: inFolders([...STOREYS.slice(storey).flat()]),
        // Its own folder.
        pathNot: '^src/$1/',
      },
    })),
    {
      name: 'only-the-front-door-at-the-top',
      severity: 'error',
      from: { path: '^src/[^/]+/' },
      to: { path: '^src/[^/]+$' },
    },
    {
      name: 'every-folder-has-a-storey',
      severity: 'error',
      from: {},
      to: { path: '^src/[^/]+/', pathNot: inFolders(STOREYS.flat()) },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
