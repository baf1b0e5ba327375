/** What the dashboard shows: four questions an operator has, from the top, and what of networks that are joined. */
import type { RowSpec } from './panels.ts';
import { FAST } from './rows/fast.ts';
import { HEALTHY } from './rows/healthy.ts';
import { NETWORKS } from './rows/networks.ts';
import { TABLES } from './rows/tables.ts';
import { WHY } from './rows/why.ts';

export const ROWS: readonly RowSpec[] = [HEALTHY, FAST, TABLES, WHY, NETWORKS];

/** Those that are in the picture. */
export const PICTURED: readonly RowSpec[] = ROWS.filter(({ pictured = true }) => pictured);
