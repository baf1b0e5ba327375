/** `npm run grafana`: writes the dashboard beside its source. */
import { writeFileSync } from 'node:fs';
import { ROOT } from './root.ts';
import { dashboardText } from './dashboard.ts';

writeFileSync(new URL('grafana/dashboard.json', ROOT), dashboardText());
