/** The scenarios that come along: each a file of its own, or cells of a grid. */

import { join } from 'node:path';
import { plural } from '../bytes/text.ts';
import { type Grid, gridScenario, gridScenarios, parseGrid } from '../trial/grid.ts';
import { parseScenario, type Scenario } from '../trial/scenario.ts';
import { fixtures, namesIn, readText, scenarioFile } from './world.ts';

const folder = join(fixtures, 'grids');

export interface GridFile {
  readonly file: string;
  readonly grid: Grid;
}

/** Throws `usage` where a file is no grid. */
export function knownGrids(): GridFile[] {
  return namesIn(folder, '.yaml').map((name) => {
    const file = join(folder, `${name}.yaml`);
    return { file, grid: parseGrid(readText(file), file) };
  });
}

/** The grid of that name. */
export function gridNamed(name: string): GridFile | undefined {
  return knownGrids().find(({ grid }) => grid.name === name);
}

export function scenariosOf({ file, grid }: GridFile): Scenario[] {
  return gridScenarios(grid, file);
}

/** A scenario that comes along, or the one in the file that was named. Throws DumpErrors. */
export function findScenario(name: string): { readonly file: string; readonly scenario: Scenario } {
  const known = /\.ya?ml$/.test(name) ? undefined : gridNamed(name.split('/')[0]!);
  if (known !== undefined) {
    return { file: known.file, scenario: gridScenario(known.grid, known.file, name) };
  }
  const file = scenarioFile(name);
  return { file, scenario: parseScenario(readText(file), file) };
}

/** A line for each point: which types there are. */
export function matrixLines({ grid }: GridFile): string[] {
  const { name, title, points, types, loads } = grid;
  const width = Math.max(...points.map((point) => point.name.length));
  const row = (head: string, cells: readonly string[]): string =>
    `  ${[head.padEnd(width), ...cells].join('  ')}`.trimEnd();
  const mark = (cell: object | undefined, type: string): string =>
    (cell !== undefined && 'image' in cell ? 'x' : '-').padEnd(type.length);
  const names = types.map((type) => type.name);
  const cells = points.flatMap((point) => Object.values(point.cells));
  const count = cells.filter((cell) => 'image' in cell).length * loads.length;
  return [
    `${name}/POINT/TYPE/LOAD  ${title}`,
    '',
    row('', names),
    ...points.map((point) =>
      row(
        point.name,
        names.map((type) => mark(point.cells[type], type)),
      ),
    ),
    '',
    `  ${plural(count, 'scenario')}; LOAD is ${loads.map((load) => load.name).join(', ')}`,
  ];
}

/** Why cells are empty, each with those of which it is true. */
export function missingCells({ grid }: GridFile): { why: string; cells: string[] }[] {
  const found = new Map<string, string[]>();
  for (const point of grid.points) {
    for (const [type, cell] of Object.entries(point.cells)) {
      if ('image' in cell) continue;
      found.set(cell.why, [...(found.get(cell.why) ?? []), `${point.name}/${type}`]);
    }
  }
  return [...found].map(([why, cells]) => ({ why, cells }));
}
