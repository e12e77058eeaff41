/** `tsdump capture --explain-needs`: what methods need intact of the crashed kernel. */

import { DumpError } from '../bytes/errors.ts';
import { methodNames, parseMethod } from '../capture/catalogue.ts';
import { hardwareNames, hardwareProfile } from '../machine/hardware.ts';
import { dataEnvelope } from '../render/envelope.ts';
import { needsJson, needsLines, needsSvg } from '../render/needs.ts';
import { type Needs, needsOf } from '../trial/needs.ts';
import { oneOf, parseLevel } from './capture-options.ts';
import { defaultScenario } from './capture-plan.ts';
import { exitStatus } from './exit-status.ts';
import { refuseInput } from './file-identity.ts';
import type { CaptureFlags, Settings } from './handlers.ts';
import { foreignImage, type Image, openImage } from './images.ts';
import { openInput } from './input.ts';
import { inputFlagsOf } from './input-options.ts';
import type { Io } from './io.ts';
import { findScenario } from './library.ts';
import { writeText } from './text-output.ts';
import { packageVersion } from './version.ts';
import { world } from './world.ts';

/** Nothing befalls the machine that is measured. */
const senseless = ['fault', 'seed', 'trace', 'keepDisk', 'server', 'expect', 'output'] as const;

/** The result is the exit status. Throws DumpErrors. */
export async function explainNeeds(
  methods: string,
  flags: CaptureFlags,
  settings: Settings,
  io: Io,
): Promise<number> {
  const also = senseless.find((option) => flags[option] !== undefined);
  if (also !== undefined) {
    const option = also === 'keepDisk' ? 'keep-disk' : also;
    throw new DumpError('usage', `--explain-needs measures a sound run: --${option} means nothing`);
  }
  const words = wordsOf(methods);
  const picture = pictureOf(flags);
  const { image, name } = await imageOf(flags);
  const needs: Needs[] = [];
  try {
    for (const method of words) needs.push(await measured(method, image, flags));
  } finally {
    image.dump.close();
  }
  if (picture !== undefined) {
    const existing = flags.force === true ? 'overwrite' : 'keep';
    writeText(picture, needsSvg(needs, name), existing, io);
  }
  print(needs, name, settings, io);
  return exitStatus.done;
}

function wordsOf(text: string): string[] {
  const words = text.split(',').filter((word) => word !== '');
  if (words.length === 0) throw new DumpError('usage', '--explain-needs: no method is named');
  const found = words.flatMap((word) => (word === 'all' ? methodNames : [word]));
  for (const word of found) parseMethod(word);
  return [...new Set(found)];
}

function pictureOf({ picture, machine }: CaptureFlags): string | undefined {
  if (picture === undefined) return undefined;
  if (!picture.endsWith('.svg')) {
    throw new DumpError('usage', `--picture ${picture}: needs are drawn as .svg`);
  }
  if (machine !== undefined) refuseInput(picture, machine);
  return picture;
}

async function imageOf(flags: CaptureFlags): Promise<{ image: Image; name: string }> {
  if (flags.machine !== undefined) {
    const { dump } = await openInput([flags.machine], inputFlagsOf(flags));
    return { image: foreignImage(dump), name: flags.machine };
  }
  const name = findScenario(flags.scenario ?? defaultScenario).scenario.image;
  return { image: await openImage(name), name: `the image ${name}` };
}

/** The level that was asked for, or else what the method leaves out at most. */
function measured(method: string, image: Image, flags: CaptureFlags): Promise<Needs> {
  const { codecs, sha256 } = world;
  const { levels = [31] } = parseMethod(method).method;
  const level = flags.level === undefined ? Math.max(...levels) : parseLevel(flags.level);
  const { hardware } = flags;
  const profile =
    hardware === undefined
      ? {}
      : { hardware: hardwareProfile(oneOf('--hardware', hardware, hardwareNames)) };
  return needsOf({
    ...{ method, level, dump: image.dump, codecs },
    machine: { sha256, ...image.options, ...profile },
  });
}

function print(needs: readonly Needs[], machine: string, settings: Settings, io: Io): void {
  if (settings.json) {
    const origin = { version: packageVersion(), schema: 'needs/1', input: machine };
    io.out(`${JSON.stringify(dataEnvelope(origin, needsJson(needs), []))}\n`);
    return;
  }
  const lines = needsLines({
    ...{ needs, machine },
    colour: io.colour ? 'colour' : 'plain',
    detail: settings.verbose ? 'all' : 'main',
    ...(io.width === undefined ? {} : { width: io.width }),
  });
  io.out(`${lines.join('\n')}\n`);
}
