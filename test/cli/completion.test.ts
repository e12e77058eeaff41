/** Completion of a shell's command line: what fits where, and real shells that ask for it. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { commands } from '../../src/analyze/table.ts';
import { methodNames, methodWords } from '../../src/capture/catalogue.ts';
import { complete } from '../../src/cli/completion/complete.ts';
import { wordsOfLine } from '../../src/cli/completion/shells.ts';
import type { Completion } from '../../src/cli/completion/values.ts';
import { commandTree } from '../../src/cli/program.ts';
import { program, root, tsdump } from '../support/cli.ts';
import { haveTerminal, TestTerminal } from '../support/terminal.ts';

const tree = commandTree('0');

function fitting(...words: string[]): Promise<Completion> {
  return complete(tree, words);
}

async function values(...words: string[]): Promise<string[]> {
  return (await fitting(...words)).candidates.map(({ value }) => value);
}

describe('what fits', () => {
  test('commands, with their meaning', async () => {
    expect(await values('')).toEqual([
      ...['analyze', 'info', 'check', 'convert', 'repair', 'capture'],
      // Those of a family share a command.
      ...new Set(methodNames.map((name) => (name.startsWith('lkcd-') ? 'lkcd' : name))),
      ...['save', 'scenario', 'compare', 'serve', 'completion', 'help'],
    ]);
    const [scenario] = (await fitting('scen')).candidates;
    expect(scenario?.meaning).toMatch(/^list, show, check and make scenarios/);
    expect(await values('help', 'cap')).toEqual(['capture']);
  });

  test('behind analyze a file, then its commands', async () => {
    expect(await fitting('analyze', '')).toEqual({ candidates: [], files: [] });
    expect(await fitting('analyze', '--json', 'x')).toEqual({ candidates: [], files: [] });
    const names = await values('analyze', 'vmcore', '');
    expect(names).toEqual([...commands.map(({ name }) => name), 'help']);
    expect(await values('analyze', 'vmcore', 'help', 'pt')).toEqual(['ptov', 'pte', 'ptob']);
    expect(await values('analyze', 'vmcore', 'ps', '1', '')).toEqual([]);
  });

  test('options of a command and of tsdump itself, wherever operands stand', async () => {
    expect(await values('analyze', 'vmcore', 'ps', '1', '--pa')).toEqual(['--parents']);
    expect(await values('analyze', 'vmcore', 'ps', '--js')).toEqual(['--json']);
    expect(await values('--q')).toEqual(['--quiet']);
    expect(await values('analyze', 'vmcore', 'print', '--', '--')).toEqual([]);
  });

  test('a wrapped command has its own options', async () => {
    expect(await values('analyze', 'vmcore', 'foreach', 'user', 'b')).toEqual(['bt', 'btop']);
    expect(await values('analyze', 'vmcore', 'foreach', 'user', 'bt', '--fu')).toEqual(['--full']);
  });

  test.each<[words: string[], values: string[]]>([
    [['--method', ''], [...methodWords]],
    [['--method=hyp'], ['--method=hypervisor']],
    [
      ['--scenario', 'disk-'],
      ['disk-hung', 'disk-hung-until-reset'],
    ],
    [['--hardware', 'virtio'], ['virtio-scsi']],
    [
      ['--compress', 'z'],
      ['zlib', 'zstd'],
    ],
    [['--level', 'zero,u'], ['zero,user']],
    [['--expect', 'com'], ['complete']],
    [['--fault', 'memor'], ['memory']],
    [['--fault', 'memory'], ['memory:']],
    [['--fault', 'memory:by=d'], ['memory:by=dma']],
    [['--fault', 'memory:by=dma,regi'], ['memory:by=dma,region=']],
    [['--fault', 'memory:by=dma,b'], ['memory:by=dma,bytes=']],
    [['--seed', ''], []],
  ])('capture %j: %j', async (words, expected) => {
    expect(await values('capture', ...words)).toEqual(expected);
    expect(await values('kexec', '--seed', '1', ...words)).toEqual(
      words[0]!.startsWith('--method') ? [] : expected,
    );
  });

  test.each<[words: string[], files: string[] | undefined]>([
    [['capture', '--machine', ''], []],
    [['capture', '-o', 'x'], []],
    [
      ['capture', '--picture='],
      ['.svg', '.html'],
    ],
    [
      ['analyze', 'vmcore', '--script', ''],
      ['.ts', '.mts', '.js', '.mjs'],
    ],
    [['analyze', '--script', 'x.ts', ''], []],
    [['analyze', 'vmcore', '--script', 'x.ts', '--', ''], []],
    [['check', 'vmcore', ''], []],
    [['check', 'vmcore', '--svg', ''], ['.svg']],
    [
      ['scenario', 'check', 'a.yaml', ''],
      ['.yaml', '.yml'],
    ],
    [
      ['scenario', 'show', ''],
      ['.yaml', '.yml'],
    ],
    [['capture', '--seed', ''], undefined],
    [['analyze', 'vmcore', 'vtop', '-c', ''], undefined],
  ])('%j: files %j', async (words, files) => {
    expect((await fitting(...words)).files).toEqual(files);
  });

  test('an option with a value has values, or files, or is known to have none', async () => {
    const numbers = ['seed', 'watchdog', 'seeds', 'firstSeed', 'jobs', 'untilWidth', 'shard'];
    const free = [...numbers, 'commands', 'server', 'require'];
    for (const name of ['analyze', 'capture', 'compare']) {
      const { options } = tree.commands.find((node) => node.name() === name)!;
      for (const option of options.filter(({ required }) => required)) {
        const words = name === 'analyze' ? ['analyze', 'vmcore'] : [name];
        const { candidates, files } = await fitting(...words, option.long!, '');
        const hasSome = candidates.length > 0 || files !== undefined;
        expect([option.long, hasSome]).toEqual([
          option.long,
          !free.includes(option.attributeName()),
        ]);
      }
    }
  });
});

test('a line of bash is cut into its words, where quotes are open too', () => {
  const words: readonly (readonly [string, string[]])[] = [
    ['tsdump analyze ', ['tsdump', 'analyze', '']],
    ['tsdump analyze "my du', ['tsdump', 'analyze', 'my du']],
    ['tsdump  \'a b\'\\ c="\\"d" $(x y', ['tsdump', 'a b c="d', '$(x y']],
    ['tsdump `x y` $a$(b c)d $', ['tsdump', '`x y`', '$a$(b c)d', '$']],
    ['tsdump --fault memory:by=', ['tsdump', '--fault', 'memory:by=']],
    ['', ['']],
  ];
  for (const [line, expected] of words) expect(wordsOfLine(line)).toEqual(expected);
});

test('an unknown shell is usage, with those that are known', () => {
  const { status, stderr } = tsdump(['completion', 'tcsh']);
  expect([status, stderr]).toEqual([
    2,
    'tsdump: usage: completion: unknown "tcsh"\n  hint: one of bash, zsh, fish\n',
  ]);
});

test('a query loads no reader of dumps', () => {
  const { stderr } = tsdump(['completion', 'query', 'analyze', 'vmcore', 'p'], {
    env: { NODE_DEBUG: 'esm' },
  });
  expect(stderr).toContain('/dist/analyze/table');
  expect(stderr).not.toMatch(/\/dist\/(?:dump|linux\/kernel|trial\/capture|machine\/machine)/);
});

const folder = mkdtempSync(join(tmpdir(), 'tsdump-completion-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A folder with files to complete, and tsdump in the path. */
beforeAll(() => {
  mkdirSync(join(folder, 'bin'));
  symlinkSync(program, join(folder, 'bin/tsdump'));
  for (const name of ['vmcore', 'my dump', 'one.ts', 'two.txt']) {
    writeFileSync(join(folder, name), '');
  }
  symlinkSync(join(root, 'docs'), join(folder, 'docs'));
});

/** Ctrl-U and Ctrl-L: the line away, and the screen with it, so that what comes next is new. */
const clear = '\x15\x0c';

/** Without the settings of whoever runs this. */
const shells = [
  [
    'bash',
    ['bash', '--norc', '--noprofile', '-i'],
    "PS1='ready> '; source <(tsdump completion bash); source <(tsdump completion bash)",
  ],
  [
    'zsh',
    ['zsh', '-f', '-i'],
    'autoload -Uz compinit; compinit -u -D; source <(tsdump completion zsh); PS1="ready> "',
  ],
  [
    'fish',
    ['fish', '--no-config', '-i'],
    'tsdump completion fish | source; function fish_prompt; echo -n "ready> "; end',
  ],
] as const;

/** Typed before Tab, and what the line is then. */
const lines: readonly (readonly [typed: string, completed: string])[] = [
  ['tsdump cap', 'tsdump capture'],
  ['tsdump analyze vmc', 'tsdump analyze vmcore'],
  ['tsdump analyze my', 'tsdump analyze my\\ dump'],
  ['tsdump analyze my\\ dump sizeo', 'tsdump analyze my\\ dump sizeof'],
  ['tsdump analyze vmcore ps --par', 'tsdump analyze vmcore ps --parents'],
  ['tsdump analyze vmcore --script on', 'tsdump analyze vmcore --script one.ts'],
  ['tsdump analyze docs/exa', 'tsdump analyze docs/examples/'],
  ['tsdump capture --method=hyp', 'tsdump capture --method=hypervisor'],
  ['tsdump kexec --generation tod', 'tsdump kexec --generation today'],
  ['tsdump capture --machine=vmc', 'tsdump capture --machine=vmcore'],
  ['tsdump capture --fault memor', 'tsdump capture --fault memory'],
  ['tsdump capture --fault memory:by=d', 'tsdump capture --fault memory:by=dma'],
  ['tsdump capture --fault memory:by=dma,reg', 'tsdump capture --fault memory:by=dma,region='],
  ['tsdump scenario show disk-hung-u', 'tsdump scenario show disk-hung-until-reset'],
];

describe.each(shells)('%s', (name, command, setUp) => {
  const isHere = haveTerminal && spawnSync(name, ['--version']).status === 0;
  if (!isHere) console.info(`skipped: no ${name}, or no script to give it a terminal`);
  let terminal: TestTerminal | undefined;
  afterEach(() => terminal?.kill());

  async function prompt(): Promise<TestTerminal> {
    const PATH = `${join(folder, 'bin')}:${process.env['PATH']}`;
    terminal = new TestTerminal(['/bin/sh', '-c', `cd '${folder}' && exec ${command.join(' ')}`], {
      ...{ PATH, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder },
    });
    terminal.type(`${setUp}\r`);
    await terminal.shows(/\nready>$/);
    return terminal;
  }

  test.skipIf(!isHere)('Tab completes', { timeout: 120_000 }, async () => {
    const shell = await prompt();
    for (const [typed, completed] of lines) {
      shell.type(`${typed}\t`);
      const literal = completed.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
      await shell.shows(new RegExp(`ready> ${literal}$`));
      shell.type(clear);
      await shell.shows(/ready>$/);
    }
  });

  test.skipIf(!isHere)('nothing that stands on the line is run', { timeout: 60_000 }, async () => {
    const shell = await prompt();
    const baits = ['$(touch pwned)', '"$(touch pwned)"'];
    for (const bait of name === 'fish' ? [...baits, '(touch pwned)'] : baits) {
      shell.type(`tsdump analyze ${bait} sizeo\t`);
      await shell.shows(/sizeof$/);
      expect([bait, readdirSync(folder).includes('pwned')]).toEqual([bait, false]);
      shell.type(clear);
      await shell.shows(/ready>$/);
    }
  });
});
