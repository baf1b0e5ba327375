/** What the dashboard shows: four questions an operator has, from the top. */
import type { RowSpec } from './panels.ts';
import { FAST } from './rows/fast.ts';
import { HEALTHY } from './rows/healthy.ts';
import { TABLES } from './rows/tables.ts';
import { WHY } from './rows/why.ts';

export const ROWS: readonly RowSpec[] = [HEALTHY, FAST, TABLES, WHY];
