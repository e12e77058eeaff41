/**
 * Hardware profiles: what takes how long, as data. For now there is one. The figures are orders of
 * magnitude of a small virtual machine, chosen and not measured; a verdict depends on them only
 * through a deadline.
 */

import type { CompressionName } from '../codec/types.ts';
import { microsecond, millisecond, second } from './clock.ts';

export interface HardwareProfile {
  readonly name: string;
  readonly disk: {
    readonly sectorSize: number;
    /** From the doorbell to the completion of an empty command. */
    readonly commandNs: number;
    readonly bytesPerSecond: number;
    /** The longest transfer of one command, bytes. */
    readonly maxTransfer: number;
    /** From the reset line to the first command that is taken. */
    readonly resetNs: number;
  };
  readonly cpu: {
    /** From the send of an NMI to the first instruction of its handler. */
    readonly nmiNs: number;
    readonly functionNs: number;
    readonly copyBytesPerSecond: number;
    readonly hashBytesPerSecond: number;
    readonly filterPagesPerSecond: number;
    readonly compressBytesPerSecond: Readonly<Record<CompressionName, number>>;
  };
  readonly boot: {
    readonly captureKernelNs: number;
    readonly miniKernelNs: number;
    readonly firmwareNs: number;
  };
}

const MB = 1e6;

export const virtioScsi: HardwareProfile = {
  name: 'virtio-scsi',
  disk: {
    sectorSize: 512,
    commandNs: 100 * microsecond,
    bytesPerSecond: 400 * MB,
    maxTransfer: 512 * 1024,
    resetNs: 50 * millisecond,
  },
  cpu: {
    nmiNs: 20 * microsecond,
    functionNs: microsecond,
    copyBytesPerSecond: 5_000 * MB,
    hashBytesPerSecond: 400 * MB,
    filterPagesPerSecond: 20e6,
    compressBytesPerSecond: {
      none: 5_000 * MB,
      rle: 800 * MB,
      zlib: 40 * MB,
      lzo: 500 * MB,
      snappy: 600 * MB,
      zstd: 250 * MB,
    },
  },
  boot: { captureKernelNs: 3 * second, miniKernelNs: 300 * millisecond, firmwareNs: 5 * second },
};
