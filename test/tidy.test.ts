/**
 * The rules of the house that no type checker knows: who may import whom, what the core may not
 * touch, how long things get. Every rule is a function from a set of files to a list of problems,
 * and has a canary: a tiny project that breaks it, so that a rule which can no longer fail is seen.
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

type Files = ReadonlyMap<string, string>;

interface Rule {
  readonly claim: string;
  check(files: Files): string[];
  /** Files that break the rule. */
  readonly canary: Readonly<Record<string, string>>;
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Rooms, top first; rooms of one line never import each other. */
const ranks: readonly (readonly string[])[] = [
  ['cli', 'index.ts', 'browser.ts'],
  ['host'],
  ['render'],
  ['compare', 'analyze', 'cluster', 'convert'],
  ['trial'],
  ['capture'],
  ['machine'],
  ['linux'],
  ['dump', 'checkpoint'],
  ['codec'],
  ['bytes'],
];

/** What the core is given instead of taking it: a banned name and its replacement. */
const banned: readonly (readonly [RegExp, string])[] = [
  [/\bBuffer\b/, 'Buffer: use Uint8Array and the functions of src/bytes'],
  [/\bprocess\b(?=\s*[.[])/, 'process: the CLI hands settings in'],
  [/\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b/, 'the time: take a clock from the world'],
  [/\bMath\.random\b/, 'Math.random: take a random generator from the world'],
  [/\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/, 'timers: only host has them'],
  [/\bconsole\./, 'console: return a value, or write to the log of the world'],
  [/\brequire\(|\b__dirname\b|\b__filename\b/, 'CommonJS: modules only'],
  [/\bglobalThis\b/, 'globalThis: take it from the world'],
];

const builtins =
  /^(?:node:.*|fs|path|os|util|zlib|crypto|child_process|worker_threads|net|url|stream|events)$/;
/** Packages that run in Node only. */
const nodePackages = /^(?:tinypool|bullmq|koffi|@electric-sql\/pglite)(?:\/|$)/;

/** Longer than 500 lines, and why that is right. */
const longFiles: Readonly<Record<string, string>> = {};

/** Functions longer than 70 lines, by `file name`, and why that is right. */
const longFunctions: Readonly<Record<string, string>> = {};

// --- reading sources -----------------------------------------------------------------------------

function project(): Files {
  const files = new Map<string, string>();
  const built = ['dist', 'dist-fixtures', 'dist-fuzz', 'coverage'];
  const skipped = new Set(['node_modules', ...built, '.git', 'answers']);
  const walk = (directory: string): void => {
    for (const name of readdirSync(directory)) {
      const path = join(directory, name);
      if (statSync(path).isDirectory()) {
        if (!skipped.has(name)) walk(path);
      } else if (/\.(?:ts|mjs|js|json|md|sh|yml)$|^run$/.test(name) && !name.includes('-lock.')) {
        files.set(relative(root, path).split(sep).join('/'), readFileSync(path, 'utf8'));
      }
    }
  };
  walk(root);
  return files;
}

function sources(files: Files): [string, string][] {
  return [...files].filter(([path]) => path.startsWith('src/') && path.endsWith('.ts'));
}

const comment = /\/\/[^\n]*|\/\*[\s\S]*?\*\//;
const quoted = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`/;
/** A slash after these is no division. */
const beforePattern = /(?<=[=(,:[!&|?{};]\s*|return\s)/;
const pattern = /\/(?![*/])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\//;
const token = new RegExp(
  `${comment.source}|${quoted.source}|${beforePattern.source}${pattern.source}`,
  'g',
);

/** The text with comments, and contents of strings, blanked: lines and columns stay. */
function codeOnly(text: string): string {
  return text.replace(token, (found) => {
    // What a template computes is code; its literal parts are harmless to keep.
    if (found.startsWith('`') && found.includes('${')) return found;
    return found.replace(/[^\n]/g, ' ');
  });
}

interface Import {
  readonly specifier: string;
  /** A path of the project for a relative import. */
  readonly target: string | undefined;
}

function importsOf(path: string, text: string): Import[] {
  // Comments go first, strings must stay: that is where the specifiers are.
  const code = text.replace(token, (found) => (/^\/[/*]/.test(found) ? '' : found));
  const found = [
    ...code.matchAll(/^\s*(?:import|export)\b[^;'"]*?from\s*'([^']+)'/gm),
    ...code.matchAll(/^\s*import\s*'([^']+)'/gm),
    ...code.matchAll(/\bimport\(\s*'([^']+)'/g),
  ];
  return found.map((match) => {
    const specifier = match[1] ?? '';
    const isRelative = specifier.startsWith('.');
    const target = isRelative ? posix.join(posix.dirname(path), specifier) : undefined;
    return { specifier, target };
  });
}

function roomOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function rankOf(room: string): number {
  return ranks.findIndex((rooms) => rooms.includes(room));
}

function isCore(path: string): boolean {
  return !['host', 'cli'].includes(roomOf(path));
}

/** `path:line: message` for each line of code that `pattern` hits. */
function hits(files: readonly [string, string][], pattern: RegExp, message: string): string[] {
  const problems: string[] = [];
  for (const [path, text] of files) {
    codeOnly(text)
      .split('\n')
      .forEach((line, index) => {
        if (pattern.test(line)) problems.push(`${path}:${index + 1}: ${message}`);
      });
  }
  return problems;
}

// --- rules ---------------------------------------------------------------------------------------

function checkRanks(files: Files): string[] {
  const problems: string[] = [];
  for (const [path, text] of sources(files)) {
    const room = roomOf(path);
    if (rankOf(room) < 0) problems.push(`${path}: '${room}' is no room of the house`);
    for (const { target } of importsOf(path, text)) {
      if (target === undefined) continue;
      const other = roomOf(target);
      if (!target.startsWith('src/')) problems.push(`${path}: imports ${target} outside src`);
      else if (other === room) continue;
      else if (other === 'host' && rankOf(room) !== 0) {
        problems.push(`${path}: imports ${target}; only cli and the entries may, be given it`);
      } else if (rankOf(other) <= rankOf(room)) {
        problems.push(`${path}: imports ${target}, which is not below ${room}`);
      }
    }
  }
  return problems;
}

function checkCycles(files: Files): string[] {
  const graph = new Map(
    sources(files).map(([path, text]) => [
      path,
      importsOf(path, text).flatMap(({ target }) => (target === undefined ? [] : [target])),
    ]),
  );
  const problems: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'done') return;
    if (state.get(path) === 'open') {
      problems.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      return;
    }
    state.set(path, 'open');
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    state.set(path, 'done');
  };
  for (const path of graph.keys()) visit(path, []);
  return problems;
}

function checkNodeFree(files: Files): string[] {
  const problems: string[] = [];
  const core = sources(files).filter(([path]) => isCore(path));
  for (const [path, text] of core) {
    // The entries are core but for the one import that builds the world from host.
    for (const { specifier } of importsOf(path, text)) {
      if (builtins.test(specifier) || nodePackages.test(specifier)) {
        problems.push(`${path}: imports ${specifier}; declare an interface, implement it in host`);
      }
    }
  }
  for (const [pattern, message] of banned) problems.push(...hits(core, pattern, message));
  return problems;
}

function checkOrphans(files: Files): string[] {
  const starts = [...files]
    .filter(([path]) => path === 'package.json' || /^(?:bin|man)\//.test(path))
    .flatMap(([, text]) => [...text.matchAll(/\bdist\/([\w/-]+)\.js/g)])
    .map((match) => `src/${match[1]}.ts`);
  const imported = new Set(starts);
  for (const [path, text] of sources(files)) {
    for (const { target } of importsOf(path, text)) if (target) imported.add(target);
    // Not an import, but the name of a module that a worker thread starts from.
    for (const match of text.matchAll(/new URL\('([^']+)', import\.meta\.url\)/g)) {
      const target = posix.join(posix.dirname(path), match[1] ?? '');
      imported.add(target.replace(/\.js$/, '.ts'));
    }
  }
  return sources(files)
    .filter(([path]) => !imported.has(path))
    .map(([path]) => `${path}: nothing imports it`);
}

function checkPrivate(files: Files): string[] {
  const problems: string[] = [];
  for (const [path, text] of sources(files)) {
    for (const { target } of importsOf(path, text)) {
      if (target === undefined || !posix.basename(target).startsWith('_')) continue;
      if (posix.dirname(target) !== posix.dirname(path)) {
        problems.push(`${path}: imports ${target}, which is private to its folder`);
      }
    }
  }
  return problems;
}

function checkLengths(files: Files): string[] {
  const problems: string[] = [];
  for (const [path, text] of sources(files)) {
    const lines = text.trimEnd().split('\n').length;
    if (lines > 500 && longFiles[path] === undefined) {
      problems.push(`${path}: ${lines} lines; split it by subject, at most 500`);
    }
  }
  for (const path of Object.keys(longFiles)) {
    if ((files.get(path)?.split('\n').length ?? 0) <= 500) {
      problems.push(`${path}: listed as long, and is not`);
    }
  }
  return problems;
}

function checkColumns(files: Files): string[] {
  const problems: string[] = [];
  for (const [path, text] of files) {
    if (!/\.(?:ts|mjs|js)$/.test(path)) continue;
    text.split('\n').forEach((line, index) => {
      // A claim is a sentence and an address is one word: the formatter breaks neither.
      const isWhole = /^\s*(?:test|describe)\b.*\('/.test(line) || line.includes('https://');
      if (line.length > 100 && !isWhole) {
        problems.push(`${path}:${index + 1}: ${line.length} columns, at most 100`);
      }
    });
  }
  return problems;
}

/** Relies on the formatter: a function ends at the brace that stands under its first line. */
function checkFunctions(files: Files): string[] {
  const problems: string[] = [];
  const modifiers = /(?:(?:export|default|static|override|private|async|get|set) )*/.source;
  const head = new RegExp(
    `^(\\s*)${modifiers}(?:function\\*? ?|const |let )?\\*?(#?\\w+)(?:[ =(<])`,
  );
  const other = /^\s*(?:if|for|while|switch|return|class|else|case)\b/;
  for (const [path, text] of sources(files)) {
    const lines = codeOnly(text).split('\n');
    lines.forEach((line, index) => {
      const match = head.exec(line);
      if (match === null || other.test(line)) return;
      const end = endOfFunction(lines, index, match[1] ?? '');
      const length = end - index + 1;
      if (length > 70 && longFunctions[`${path} ${match[2]}`] === undefined) {
        problems.push(`${path}:${index + 1}: ${match[2]} has ${length} lines, at most 70`);
      }
    });
  }
  return problems;
}

/** The index of the closing line of the function that begins at `start`, or `start` for none. */
function endOfFunction(lines: readonly string[], start: number, indent: string): number {
  for (let index = start; index < lines.length; index++) {
    const line = lines[index] ?? '';
    const isBody = /\)(?:: [^=]+)? (?:=> )?\{$/.test(line);
    if (isBody) {
      const after = lines.slice(index + 1).findIndex((next) => next.startsWith(`${indent}}`));
      return after < 0 ? start : index + 1 + after;
    }
    // A statement or a member that ended before any body began.
    if (/[;{]$/.test(line) || (index > start && !line.startsWith(`${indent} `))) return start;
  }
  return start;
}

function checkHeaders(files: Files): string[] {
  return sources(files)
    .filter(([, text]) => !text.startsWith('/**'))
    .map(([path]) => `${path}: begins without a header that says what is true here`);
}

function checkSmells(files: Files): string[] {
  const all = sources(files);
  return [
    ...hits(all, /\bcatch\s*(?:\(\w+\)\s*)?\{\s*\}/, 'an error is swallowed'),
    // `littleEndian` (`le`) is DataView's own.
    ...hits(
      all,
      /[(,]\s*(?!le\b|littleEndian\b)\w+\??: boolean[,)]|^\s+\w+\??: boolean,$/,
      'a boolean parameter: use a name for each of the two cases',
    ),
    ...hits(all, /@ts-ignore|@ts-nocheck/, 'the type checker is silenced'),
  ];
}

function checkTitles(files: Files): string[] {
  const problems: string[] = [];
  for (const [path, text] of files) {
    if (!path.endsWith('.md')) continue;
    const prose = text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '');
    const titles = prose.match(/^# .+$/gm)?.length ?? 0;
    if (titles !== 1) problems.push(`${path}: ${titles} titles, exactly one '# Title'`);
  }
  return problems;
}

function checkReminders(files: Files): string[] {
  const problems: string[] = [];
  for (const [path, text] of files) {
    if (path === 'test/tidy.test.ts') continue;
    text.split('\n').forEach((line, index) => {
      if (/\b(?:TODO(?!\(#\d+\):)|FIXME|XXX:|HACK)\b/.test(line)) {
        problems.push(`${path}:${index + 1}: a reminder has the number of an issue: TODO(#12):`);
      }
    });
  }
  return problems;
}

function checkMachinePaths(files: Files): string[] {
  const problems: string[] = [];
  for (const [path, text] of files) {
    if (path === 'test/tidy.test.ts') continue;
    text.split('\n').forEach((line, index) => {
      const found = /(?<![\w.~*-])\/(?:work|home|root|Users|workspace)\/[\w.-]*/.exec(line);
      if (found) problems.push(`${path}:${index + 1}: ${found[0]} exists on one machine only`);
    });
  }
  return problems;
}

const rules: readonly Rule[] = [
  {
    claim: 'a room imports only lower rooms, and only cli and the entries import host',
    check: checkRanks,
    canary: { 'src/bytes/a.ts': "import { b } from '../codec/b.ts';" },
  },
  {
    claim: 'rooms of one rank do not import each other',
    check: checkRanks,
    canary: { 'src/analyze/a.ts': "export { b } from '../compare/b.ts';" },
  },
  {
    claim: 'modules do not import each other in a circle, types included',
    check: checkCycles,
    canary: {
      'src/bytes/a.ts': "import type { B } from './b.ts';",
      'src/bytes/b.ts': "import {\n  a,\n} from './a.ts';",
    },
  },
  {
    claim: 'the core imports nothing of Node',
    check: checkNodeFree,
    canary: { 'src/dump/a.ts': "import { open } from 'node:fs';" },
  },
  {
    claim: 'the core takes no time, chance, timer, Buffer or process from the air',
    check: checkNodeFree,
    canary: { 'src/machine/clock.ts': '/** Time. */\nexport const now = () => Date.now();' },
  },
  {
    claim: 'a method never imports the faults that strike it',
    check: (files) =>
      sources(files)
        .filter(([path]) => path.startsWith('src/capture/'))
        .flatMap(([path, text]) => importsOf(path, text).map(({ target }) => [path, target]))
        .filter(([, target]) => target?.startsWith('src/machine/faults'))
        .map(([path, target]) => `${path}: imports ${target}`),
    canary: { 'src/capture/kexec/m.ts': "import { x } from '../../machine/faults/x.ts';" },
  },
  {
    claim: 'every source file is imported by another or is a start of the program',
    check: checkOrphans,
    canary: { 'src/bytes/forgotten.ts': '/** Nobody. */' },
  },
  {
    claim: 'a file with an underscore is private to its folder',
    check: checkPrivate,
    canary: { 'src/codec/a.ts': "import { b } from '../bytes/_b.ts';" },
  },
  {
    claim: 'a source file has at most 500 lines',
    check: checkLengths,
    canary: { 'src/bytes/long.ts': 'x\n'.repeat(501) },
  },
  {
    claim: 'a line has at most 100 columns',
    check: checkColumns,
    canary: { 'bench/wide.mjs': `// ${'x'.repeat(100)}` },
  },
  {
    claim: 'a function has at most 70 lines',
    check: checkFunctions,
    canary: {
      'src/bytes/a.ts': `export function long(\n  a: number,\n): void {\n${'  a;\n'.repeat(70)}}\n`,
    },
  },
  {
    claim: 'a source file begins with a header comment',
    check: checkHeaders,
    canary: { 'src/bytes/a.ts': 'export const a = 1;' },
  },
  {
    claim: 'no swallowed error, boolean parameter or silenced type checker',
    check: checkSmells,
    canary: { 'src/bytes/a.ts': 'try { f(); } catch {}' },
  },
  {
    claim: 'a markdown file has exactly one title',
    check: checkTitles,
    canary: { 'docs/a.md': '# One\n\n# Two\n' },
  },
  {
    claim: 'a reminder in the code has the number of an issue',
    check: checkReminders,
    canary: { 'src/bytes/a.ts': '// TODO: later' },
  },
  {
    claim: 'no file names a path that exists on one machine only',
    check: checkMachinePaths,
    canary: { 'docs/a.md': '# A\n\nSee /home/me/dump.' },
  },
];

const files = project();

describe.each(rules)('$claim', ({ check, canary }) => {
  test('holds', () => {
    expect(check(files)).toEqual([]);
  });
  test('canary: can fail', () => {
    expect(check(new Map(Object.entries(canary)))).not.toEqual([]);
  });
});

test('the project under test is really here', () => {
  expect(sources(files).length).toBeGreaterThan(5);
});
