/** A runner of trials on shared images, in this thread or in one of its own. */

import { TrialRunner } from '../compare/run-trial.ts';
import { SharedDump, SharedPages } from '../machine/shared-image.ts';
import type { TrialWorld } from './trial-pool.ts';
import { nodeWorld } from './world.ts';

export function runnerOf({ blocks, images, machine }: TrialWorld): TrialRunner {
  const { codecs, sha256 } = nodeWorld();
  const pages = new SharedPages(blocks);
  const byName = new Map(images.map((image) => [image.name, image]));
  const imageOf = (name: string) => {
    const { image, options } = byName.get(machine ?? name)!;
    return { dump: new SharedDump(image, pages), options: { sha256, ...options } };
  };
  return new TrialRunner(imageOf, codecs, machine);
}
