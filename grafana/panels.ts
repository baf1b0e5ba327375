/** What a row of the dashboard is: a question an operator has, and the panels with the queries that answer it. */

export interface Query {
  expr: string;
  /** As Grafana has it: `{{label}}` is replaced. */
  legend: string;
}

interface Common {
  title: string;
  /** What it says, and when to worry. */
  description: string;
  /** Grafana's name of the unit. */
  unit: string;
  /** Of 24. */
  width: number;
  queries: readonly Query[];
}

export type PanelSpec = Common &
  (
    | { kind: 'graph'; stacked?: boolean; max?: number }
    /** A number, coloured by its size: green below the first step. */
    | { kind: 'number'; warn?: number; alarm?: number }
    /** 1 or 0 in words. */
    | { kind: 'state'; yes: string; no: string }
    | { kind: 'table' }
  );

export interface RowSpec {
  title: string;
  /** Whether the lab of picture.ts has anything for it; true where it is not said. */
  pictured?: boolean;
  panels: readonly PanelSpec[];
}
