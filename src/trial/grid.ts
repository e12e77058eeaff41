/**
 * Grids: many scenarios in one file, as crash points x crash types x loads. A cell names the image
 * that panicked there in this way, or says why there is none. A scenario of a grid is called
 * GRID/POINT/TYPE/LOAD and is like any other.
 */

import { DumpError } from '../bytes/errors.ts';
import { suggestion } from '../bytes/suggest.ts';
import { checkScenarioData, readYaml, type Scenario } from './scenario.ts';

export interface Grid {
  readonly name: string;
  /** One line. */
  readonly title: string;
  /** In the order of the file, as all of the following. */
  readonly points: readonly Point[];
  readonly types: readonly Part[];
  readonly loads: readonly (Part & Readonly<Record<'load' | 'faults', unknown>>)[];
}

/** What a name of a scenario has between two slashes. */
interface Part {
  readonly name: string;
  /** A part of a sentence. */
  readonly title: string;
  readonly why: string;
}

export interface Point extends Part {
  /** By type: the image, or why there is none. */
  readonly cells: Readonly<Record<string, { readonly image: string } | { readonly why: string }>>;
}

type DataMap = Readonly<Record<string, unknown>>;

/** The grid in the text of `file`. Throws `usage` with the first thing that is wrong in it. */
export function parseGrid(text: string, file: string): Grid {
  const read = readYaml(text);
  if ('problems' in read) throw wrong(file, read.problems[0]?.message ?? '');
  const reader = new Reader(file);
  const data = reader.map(read.value, '');
  const parts = (key: string): (Part & { readonly data: DataMap })[] =>
    Object.entries(reader.map(data[key], key)).map(([name, value]) => {
      const part = reader.map(value, `${key}.${name}`);
      const text = (word: string): string => reader.text(part[word], `${key}.${name}.${word}`);
      const why = part['why'] === undefined ? '' : text('why');
      return { name, title: text('title'), why, data: part };
    });
  const types = parts('types');
  const points = parts('points').map(({ data: point, ...part }): Point => {
    const place = `points.${part.name}`;
    const images = reader.map(point['images'], `${place}.images`);
    const missing = reader.map(point['missing'] ?? {}, `${place}.missing`);
    const cells = types.map(({ name }) => {
      if (images[name] === undefined) {
        return [name, { why: reader.text(missing[name], `${place}.missing.${name}`) }] as const;
      }
      return [name, { image: reader.text(images[name], `${place}.images.${name}`) }] as const;
    });
    return { ...part, cells: Object.fromEntries(cells) };
  });
  const loads = parts('loads').map(({ data: { load, faults }, ...part }) => {
    return { ...part, load, faults };
  });
  const { name, title } = data;
  const grid = { name: reader.text(name, 'name'), title: reader.text(title, 'title') };
  return { ...grid, points, types: types.map(({ data: _, ...type }) => type), loads };
}

/** Every scenario of a grid. Throws `usage` where one of them would be none. */
export function gridScenarios(grid: Grid, file: string): Scenario[] {
  return grid.points.flatMap((point) =>
    grid.types.flatMap((type) => {
      const cell = point.cells[type.name]!;
      if (!('image' in cell)) return [];
      return grid.loads.map(({ name, title, load, faults }) => {
        const checked = checkScenarioData({
          // Its own name is no file's.
          name: grid.name,
          title: `${type.title} ${point.title}${load === 'idle' ? '' : `, ${title}`}`,
          why: `${type.why} ${point.why}`,
          image: cell.image,
          load,
          ...(faults === undefined ? {} : { faults }),
        });
        const whole = [grid.name, point.name, type.name, name].join('/');
        if ('value' in checked) return { ...checked.value, name: whole };
        const { path, message } = checked.problems[0]!;
        throw wrong(file, `${whole}: ${path}: ${message}`);
      });
    }),
  );
}

/** One of the scenarios by its name. Throws `usage`, with what is near to it. */
export function gridScenario(grid: Grid, file: string, name: string): Scenario {
  const scenarios = gridScenarios(grid, file);
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found !== undefined) return found;
  const known = scenarios.map((scenario) => scenario.name);
  const [, pointName, typeName] = name.split('/');
  const cell = grid.points.find((point) => point.name === pointName)?.cells[typeName ?? ''];
  const hint =
    cell !== undefined && 'why' in cell
      ? cell.why
      : '`tsdump scenario list` shows points, types and loads';
  const message = `there is no scenario "${name}"${suggestion(name, known)}`;
  throw new DumpError('usage', message, { hint });
}

function wrong(file: string, message: string): DumpError {
  return new DumpError('usage', message, { where: { file } });
}

/** Data that is as it must be, or an error with its place. */
class Reader {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  map(value: unknown, path: string): DataMap {
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (isMap) return value as DataMap;
    throw wrong(this.#file, `${path === '' ? 'a grid' : path}: is no map of members`);
  }

  text(value: unknown, path: string): string {
    if (typeof value === 'string' && value.trim() !== '') return value.trim();
    throw wrong(this.#file, `${path}: is no text`);
  }
}
