/**
 * The panic images that come along: overlays of changed pages over one base, with a side file that
 * has what memory does not hold. `fixtures/ORIGIN.md` tells how they were made.
 */

import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DumpError, within } from '../bytes/errors.ts';
import { suggestion } from '../bytes/suggest.ts';
import { overlaid } from '../dump/overlay.ts';
import type { Dump } from '../dump/types.ts';
import type { MachineOptions } from '../machine/blueprint.ts';
import type { DeviceState } from '../machine/devices.ts';
import { parseFootprints } from '../machine/footprints.ts';
import { heldDump } from '../machine/held-image.ts';
import type { RunningDelta } from '../machine/running.ts';
import { type FileOptions, fixtures, namesIn, openFile, readText } from './world.ts';

const folder = join(fixtures, 'machine');

/** A panic image, and what else is known of its machine. */
export interface Image {
  readonly dump: Dump;
  readonly options: Pick<MachineOptions, 'devices' | 'deltas' | 'footprints'>;
}

/** What is used of machine.json; fixtures/machine/schema.json describes all of it. */
interface SideFile {
  readonly images: readonly {
    readonly name: string;
    readonly devices: DeviceState;
    /** The guest after one CPU alone had run on, each since the one before. */
    readonly runs?: readonly {
      readonly file: string;
      readonly cpu: number;
      readonly nanoseconds: number;
    }[];
  }[];
}

/** Names of the images; `null-process.run-1` is no image but what came after one. */
export function imageNames(): readonly string[] {
  return namesIn(folder, '.kdump').filter((name) => name !== 'base' && !name.includes('.'));
}

/**
 * Any dump file. An overlay of the images that come along is opened with what it lies over.
 * Throws DumpErrors.
 */
export async function openVmcore(file: string, options: FileOptions = {}): Promise<Dump> {
  const dump = await openFile(file, options);
  try {
    const real = realpathSync(file);
    if (dirname(real) !== realpathSync(folder)) return dump;
    const [, image = '', run] = /^([^.]+)(?:\.run-(\d+))?\.kdump$/.exec(basename(real)) ?? [];
    if (!imageNames().includes(image)) return dump;
    // The guest after it had run on: over the image and all runs before.
    const below = Array.from({ length: Number(run ?? 0) }, (_, at) => {
      return `${image}${at === 0 ? '' : `.run-${at}`}.kdump`;
    });
    let base = await openFile(join(folder, 'base.kdump'));
    for (const name of below) base = overlaid(base, await openFile(join(folder, name)));
    return overlaid(base, dump);
  } catch (error) {
    dump.close();
    throw error;
  }
}

/** An image by its name. Closing the dump is the caller's. Throws `usage` for an unknown one. */
export async function openImage(name: string): Promise<Image> {
  refuseUnknown(name);
  const base = await openBase();
  try {
    return await imageOver(base, name);
  } catch (error) {
    base.close();
    throw error;
  }
}

export interface OpenImages {
  readonly images: readonly (Image & { readonly name: string })[];
  close(): void;
}

/** Several images over one base: its pages are the same arrays in all of them. */
export async function openImages(names: Iterable<string>): Promise<OpenImages> {
  const base = await openBase();
  const images: OpenImages['images'][number][] = [];
  const close = (): void => {
    for (const { dump } of images) dump.close();
    base.close();
  };
  try {
    const held = heldDump(base);
    for (const name of names) {
      refuseUnknown(name);
      images.push({ name, ...(await imageOver(held, name)) });
    }
    return { images, close };
  } catch (error) {
    close();
    throw error;
  }
}

function openBase(): Promise<Dump> {
  return openFile(join(folder, 'base.kdump'));
}

async function imageOver(base: Dump, name: string): Promise<Image> {
  const options = await optionsOf(name);
  return { dump: overlaid(base, await openFile(join(folder, `${name}.kdump`))), options };
}

function refuseUnknown(name: string): void {
  const known = imageNames();
  if (known.includes(name)) return;
  throw new DumpError('usage', `there is no image "${name}"${suggestion(name, known)}`, {
    hint: `one of ${known.join(', ')}`,
  });
}

async function optionsOf(name: string): Promise<Image['options']> {
  const side = JSON.parse(readText(join(folder, 'machine.json'))) as SideFile;
  const image = side.images.find((candidate) => candidate.name === name);
  if (image === undefined) return footprints();
  const deltas: RunningDelta[] = [];
  let afterNs = 0;
  for (const { file, cpu, nanoseconds } of image.runs ?? []) {
    afterNs += nanoseconds;
    deltas.push({ afterNs, cpu, pages: await pagesOf(join(folder, file)) });
  }
  return {
    ...footprints(),
    devices: image.devices,
    ...(deltas.length === 0 ? {} : { deltas }),
  };
}

/** A user's own dump with what is known of its kernel, which may be the one of the images. */
export function foreignImage(dump: Dump): Image {
  return { dump, options: footprints() };
}

/** Which bytes of which functions a kernel executes from its panic to the jump, recorded. */
function footprints(): Pick<MachineOptions, 'footprints'> {
  const file = join(folder, 'footprints.json');
  return { footprints: within('', { file }, () => parseFootprints(JSON.parse(readText(file)))) };
}

async function pagesOf(file: string): Promise<RunningDelta['pages']> {
  const dump = await openFile(file);
  try {
    const pages: [pfn: number, bytes: Uint8Array][] = [];
    for (const { first, end, state } of dump.runs()) {
      for (let pfn = first; pfn < end && (state === 'stored' || state === 'zero'); pfn++) {
        const { bytes } = dump.readPage(pfn);
        if (bytes !== undefined) pages.push([pfn, bytes.slice()]);
      }
    }
    return pages;
  } finally {
    dump.close();
  }
}
