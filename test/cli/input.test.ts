/** Files that do not say what they are: raw memory with its ranges, parts of a split dump. */

import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { openInput } from '../../src/cli/input.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import { iomemText } from '../../src/dump/raw/layout.ts';
import { writeRaw } from '../../src/dump/raw/write.ts';
import { joinRuns } from '../../src/dump/runs.ts';
import { writeParts } from '../../src/dump/writers.ts';
import { fileSink } from '../../src/host/file-sink.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { machine, tsdump } from '../support/cli.ts';
import { sampleImage } from '../support/content.ts';
import { openFixture } from '../support/fixture.ts';
import { save } from '../support/foreign.ts';
import { contentOf } from '../support/vmcore-content.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-input-'));
afterAll(() => rmSync(folder, { recursive: true }));
const raw = join(folder, 'memory');
const codecs = createCodecs(nodeZlib);

beforeAll(async () => {
  const dump = await openFixture();
  save(raw, (sink) => {
    const { ranges } = writeRaw(sink, { ...contentOf(dump), image: dump }, { codecs });
    writeFileSync(join(folder, 'ranges'), iomemText(ranges));
  });
  dump.close();
});

async function refusal(promise: Promise<unknown>): Promise<DumpError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DumpError);
  return error as DumpError;
}

describe('raw memory', () => {
  test('a file that says nothing of itself is no dump until it is called raw', () => {
    const { status, stderr } = tsdump(['analyze', raw, 'sys']);
    expect(status).toBe(3);
    expect(stderr).toContain('a Linux kernel is in it');
    expect(stderr).toContain('--format raw; --ranges FILE');
    const { stdout } = tsdump(['analyze', raw, '--format', 'raw', 'sys']);
    expect(stdout).toContain('RELEASE: 6.1.0-');
  });

  test('what has no list of its ranges is said to be all memory; with a list it is not', () => {
    const said = 'has no list of its memory';
    expect(tsdump(['info', raw, '--format', 'raw']).stderr).toContain(said);
    expect(tsdump(['info', raw, '--ranges', join(folder, 'ranges')]).stderr).not.toContain(said);
  });

  test('--ranges says which memory it holds, and that it is raw', async () => {
    const { dump } = await openInput([raw], { ranges: join(folder, 'ranges') });
    const whole = await openFixture();
    const filtered = [...whole.runs()].map(({ first, end, state }) => {
      return { first, end, state: state === 'stored' ? state : ('missing' as const) };
    });
    expect([...dump.runs()]).toEqual([...joinRuns(filtered)]);
    dump.close();
    whole.close();
  });

  test('a list of ranges beside it is used by itself, and that is said', () => {
    const other = join(folder, 'beside');
    symlinkSync(raw, other);
    copyFileSync(join(folder, 'ranges'), `${other}.iomem`);
    const said = tsdump(['analyze', other, 'sys']);
    expect(said.status).toBe(0);
    expect(said.stderr).toContain(`the memory in ${other}: by ${other}.iomem\n`);
    expect(tsdump(['analyze', other, 'sys', '--quiet']).stderr).toBe('');
  });

  test('beside a file that says itself what it holds, a list of ranges is not looked at', async () => {
    const other = join(folder, 'said.kdump');
    symlinkSync(machine, other);
    writeFileSync(`${other}.iomem`, 'nothing');
    const { dump, remarks } = await openInput([other], {});
    expect([dump.format, remarks]).toEqual(['kdump', []]);
    dump.close();
    const { code } = await refusal(openInput([other], { ranges: join(folder, 'ranges') }));
    expect(code).toBe('usage');
  });

  test('the name of a format that is none is refused with a suggestion', async () => {
    const { code, message } = await refusal(openInput([raw], { format: 'row' }));
    expect([code, message]).toEqual(['usage', '--format: unknown "row" (did you mean raw?)']);
  });
});

test('parts of a split dump are one dump, in whatever order they are named', async () => {
  const image = sampleImage();
  const names = ['a', 'b', 'c'].map((name) => join(folder, name));
  const sinks = names.map((name) => fileSink(name, { overwrite: false }));
  await writeParts(sinks, contentOf(image), { compression: 'none', level: 0, codecs });
  for (const sink of sinks) sink.finish();
  const { dump } = await openInput([names[2]!, names[0]!, names[1]!], {});
  expect(dump.incomplete).toBeUndefined();
  expect(dump.description).toContain('3 parts of a split dump');
  dump.close();
});

test('an empty name is no dump', async () => {
  expect((await refusal(openInput([''], {}))).code).toBe('usage');
  expect((await refusal(openInput([], {}))).code).toBe('usage');
});
