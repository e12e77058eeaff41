/**
 * Hardware profiles: what takes how long, as data. The figures are orders of magnitude, chosen and
 * not measured; a verdict depends on them only through a deadline. Assumed are: for the virtual
 * machines an SSD behind the host; for 2004 a 10,000 rpm parallel SCSI disk (5 ms seek, 60 MB/s)
 * and a 2 GHz CPU; for the server of today an NVMe SSD and firmware that trains its memory for a
 * minute; networks of 1 Gbit/s, 100 Mbit/s and 10 Gbit/s. Caches: 8 MB then, 32 and 64 MB now.
 * Limits of transfers: virtio_scsi and vmw_pvscsi 512 KB, aic7xxx 256 KB, NVMe 1 MB.
 */

import { DumpError } from '../bytes/errors.ts';
import type { CompressionName } from '../codec/types.ts';
import { microsecond, millisecond, second } from './clock.ts';

export interface HardwareProfile {
  readonly name: string;
  /** Each on an adapter of its own; those behind the first have a dump partition and no more. */
  readonly disks: number;
  /** On the first disk. */
  readonly dumpPartitions: number;
  readonly disk: {
    readonly sectorSize: number;
    /** From the doorbell to the completion of an empty command. */
    readonly commandNs: number;
    readonly bytesPerSecond: number;
    /** The longest transfer of one command, bytes. */
    readonly maxTransfer: number;
    /** From the reset line to the first command that is taken. */
    readonly resetNs: number;
    /** How long the disk itself tries before it reports a medium error. */
    readonly mediumErrorNs: number;
    /** The kernel's driver for it: how it waits and what it does when nothing comes. */
    readonly driver: 'virtio_scsi' | 'vmw_pvscsi' | 'aic7xxx' | 'nvme';
    /**
     * Whether the driver can be polled by diskdump. Of 2004 few could, of today none can: the
     * virtual adapters stand for those that were patched.
     */
    readonly dumpHooks: 'present' | 'absent';
    /** The disk's own memory for writes, and how long a write stays in it at most. */
    readonly cacheBytes: number;
    readonly cacheNs: number;
  };
  readonly network: {
    readonly bytesPerSecond: number;
    /** One way, from the last byte sent to the first one handled. */
    readonly latencyNs: number;
  };
  readonly cpu: {
    /** From the send of an NMI to the first instruction of its handler. */
    readonly nmiNs: number;
    readonly functionNs: number;
    /** One interrupt, from its entry to its return. */
    readonly interruptNs: number;
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

const KB = 1024;
const MB = 1e6;

const gigabit = { bytesPerSecond: 125 * MB, latencyNs: 50 * microsecond };

const cpuOfToday: HardwareProfile['cpu'] = {
  nmiNs: 20 * microsecond,
  functionNs: microsecond,
  interruptNs: 2 * microsecond,
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
};

export const virtioScsi: HardwareProfile = {
  name: 'virtio-scsi',
  disks: 1,
  dumpPartitions: 1,
  disk: {
    sectorSize: 512,
    commandNs: 100 * microsecond,
    bytesPerSecond: 400 * MB,
    maxTransfer: 512 * KB,
    resetNs: 50 * millisecond,
    mediumErrorNs: millisecond,
    driver: 'virtio_scsi',
    dumpHooks: 'present',
    cacheBytes: 32 * MB,
    cacheNs: 5 * second,
  },
  network: gigabit,
  cpu: cpuOfToday,
  boot: { captureKernelNs: 3 * second, miniKernelNs: 300 * millisecond, firmwareNs: 5 * second },
};

const twoDisks: HardwareProfile = { ...virtioScsi, name: 'two-disks', disks: 2 };

const twoPartitions: HardwareProfile = {
  ...virtioScsi, name: 'two-partitions', dumpPartitions: 2,
}; // biome-ignore format: one object

const pvscsi: HardwareProfile = {
  ...virtioScsi,
  name: 'pvscsi',
  disk: {
    ...virtioScsi.disk,
    commandNs: 150 * microsecond,
    bytesPerSecond: 300 * MB,
    resetNs: 100 * millisecond,
    driver: 'vmw_pvscsi',
  },
};

const scsi2004: HardwareProfile = {
  name: 'scsi-2004',
  disks: 1,
  dumpPartitions: 1,
  disk: {
    sectorSize: 512,
    commandNs: 5 * millisecond,
    bytesPerSecond: 60 * MB,
    maxTransfer: 256 * KB,
    // The settle time after a bus reset that diskdump waits, reference: scsi_dump, 5 s.
    resetNs: 5 * second,
    mediumErrorNs: 3 * second,
    driver: 'aic7xxx',
    dumpHooks: 'present',
    cacheBytes: 8 * MB,
    cacheNs: 5 * second,
  },
  network: { bytesPerSecond: 12.5 * MB, latencyNs: 200 * microsecond },
  cpu: {
    nmiNs: 50 * microsecond,
    functionNs: 3 * microsecond,
    interruptNs: 5 * microsecond,
    copyBytesPerSecond: 800 * MB,
    hashBytesPerSecond: 60 * MB,
    filterPagesPerSecond: 3e6,
    compressBytesPerSecond: {
      none: 800 * MB,
      rle: 150 * MB,
      zlib: 10 * MB,
      lzo: 80 * MB,
      snappy: 100 * MB,
      zstd: 40 * MB,
    },
  },
  boot: { captureKernelNs: 20 * second, miniKernelNs: 2 * second, firmwareNs: 40 * second },
};

const nvmeServer: HardwareProfile = {
  name: 'nvme-server',
  disks: 1,
  dumpPartitions: 1,
  disk: {
    sectorSize: 4096,
    commandNs: 20 * microsecond,
    bytesPerSecond: 2_000 * MB,
    maxTransfer: 1024 * KB,
    resetNs: second,
    mediumErrorNs: millisecond,
    driver: 'nvme',
    dumpHooks: 'absent',
    cacheBytes: 64 * MB,
    cacheNs: second,
  },
  network: { bytesPerSecond: 1_250 * MB, latencyNs: 30 * microsecond },
  cpu: { ...cpuOfToday, hashBytesPerSecond: 500 * MB, copyBytesPerSecond: 8_000 * MB },
  boot: { captureKernelNs: 8 * second, miniKernelNs: 500 * millisecond, firmwareNs: 90 * second },
};

const profiles: readonly HardwareProfile[] = [
  virtioScsi, twoDisks, twoPartitions, pvscsi, scsi2004, nvmeServer,
]; // biome-ignore format: one list

export const hardwareNames: readonly string[] = profiles.map(({ name }) => name);

/** Throws `usage` for an unknown name. */
export function hardwareProfile(name: string): HardwareProfile {
  const found = profiles.find((profile) => profile.name === name);
  if (found !== undefined) return found;
  throw new DumpError('usage', `there is no hardware profile "${name}"`, {
    hint: `profiles: ${hardwareNames.join(', ')}`,
  });
}
