/**
 * The package with a kernel's debug symbols, by what the kernel says of itself: the suffix of its
 * release, its version string, and who compiled it, in its banner (`Linux version ...`). A kernel
 * that names no distribution gets no package: a guess would be installed, and would not match.
 *
 * Sources: package lists of the distributions; rpm's naming of debug packages; Ubuntu's dbgsym
 * archive; Debian's linux source package (since 4.x the packages end in -dbg). Fedora's wiki, "How
 * to use kdump to debug kernel crashes", and Red Hat's kdump guides enable the repositories of
 * debug packages by name: fedora-debuginfo, updates-debuginfo, base-debuginfo (CentOS),
 * rhel-9-for-x86_64-baseos-debug-rpms; all have "debug" in it.
 */

export interface KernelIdentity {
  readonly release: string;
  /** utsname's: `#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)`. */
  readonly version: string;
  /** `Linux version 6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) (gcc-12 ...`. */
  readonly banner: string | undefined;
  /** Hexadecimal digits. */
  readonly buildId: string | undefined;
}

export interface DebugPackage {
  readonly distribution: string;
  readonly name: string;
  /** undefined where the name has it, or where the kernel does not say it. */
  readonly version: string | undefined;
  readonly command: string;
  /** Where vmlinux is once the package is installed. */
  readonly file: string;
  /** What has to be known besides. */
  readonly note: string | undefined;
}

/** Why no package is named. */
export interface NoPackage {
  readonly why: string;
}

/** Untrusted: it goes into a command that people copy. */
const plainRelease = /^[\w.+~-]{1,64}$/;

export function debugPackage(kernel: KernelIdentity): DebugPackage | NoPackage {
  const { release } = kernel;
  if (!plainRelease.test(release)) return { why: 'the release is not the name of any package' };
  const found = byRelease.map((rule) => rule(kernel)).find((each) => each !== undefined);
  return found ?? { why: 'neither release nor version nor compiler names a known distribution' };
}

type Rule = (kernel: KernelIdentity) => DebugPackage | NoPackage | undefined;

const byRelease: readonly Rule[] = [debian, ubuntu, amazon, oracleUek, fedora, redHat, suse];

function debian({ release, version, banner }: KernelIdentity): DebugPackage | undefined {
  // Kernels before 3.2 have the version in the release's place of the banner only.
  const packaged = /\bDebian (\d[\w.+~-]*)/.exec(version)?.[1];
  if (packaged === undefined && banner?.includes('debian-kernel@lists.debian.org') !== true) {
    return undefined;
  }
  const name = `linux-image-${release}-dbg`;
  return {
    distribution: 'Debian',
    name,
    version: packaged,
    command: `apt install ${name}${packaged === undefined ? '' : `=${packaged}`}`,
    file: `/usr/lib/debug/boot/vmlinux-${release}`,
    note: undefined,
  };
}

function ubuntu(kernel: KernelIdentity): DebugPackage | NoPackage | undefined {
  const { release, version, banner = '' } = kernel;
  const upload = /^#(\d+(?:~[\d.]+)?)-Ubuntu\b/.exec(version)?.[1];
  if (upload === undefined) {
    const isMainline = /^#20\d{10} /.test(version) && banner.includes('(Ubuntu ');
    const why = "a mainline build of Ubuntu's kernel team: it comes without debug packages";
    return isMainline ? { why } : undefined;
  }
  const abi = /^(\d+(?:\.\d+)+-\d+)/.exec(release)?.[1];
  const name = `linux-image-${release}-dbgsym`;
  const packaged = abi === undefined ? undefined : `${abi}.${upload}`;
  return {
    distribution: 'Ubuntu',
    name,
    version: packaged,
    command: `apt install ${name}${packaged === undefined ? '' : `=${packaged}`}`,
    file: `/usr/lib/debug/boot/vmlinux-${release}`,
    note:
      'of the archive of debug symbols (ddebs); where kernels are signed the symbols themselves ' +
      `are in linux-image-unsigned-${release}-dbgsym`,
  };
}

function amazon({ release }: KernelIdentity): DebugPackage | undefined {
  const year = /\.amzn(\d+)\.\w+$/.exec(release)?.[1];
  if (year === undefined) return undefined;
  const series = /^(\d+\.\d+)\./.exec(release)?.[1];
  // Amazon Linux 2023: kernels after 6.1 have their series in the package's name.
  const isNamed = year === '2023' && series !== undefined && series !== '6.1';
  const flavour = isNamed ? `kernel${series}` : 'kernel';
  const tool = year === '2023' ? 'dnf' : 'yum';
  const repository = year === '2023' ? "'*-debuginfo'" : "'*debuginfo*'";
  return rpm(`Amazon Linux ${year === '1' ? '1 (2018.03)' : year}`, flavour, release, {
    command: (name) => `${tool} install --enablerepo=${repository} ${name}`,
  });
}

function oracleUek({ release }: KernelIdentity): DebugPackage | undefined {
  const found = /\.el(\d+)(?:_\d+)?uek\.\w+$/.exec(release)?.[1];
  if (found === undefined) return undefined;
  return rpm(`Oracle Linux ${found} (UEK)`, 'kernel-uek', release, {
    command: (name) => `${Number(found) >= 8 ? 'dnf' : 'yum'} install ${name}`,
    // Oracle Linux 10: Installing DebugInfo Packages; the same for each release.
    note: `of Oracle's debuginfo repository, which has to be added: ${oracleDebuginfo(found)}`,
  });
}

function oracleDebuginfo(release: string): string {
  return `https://oss.oracle.com/ol${release}/debuginfo/`;
}

function fedora({ release }: KernelIdentity): DebugPackage | undefined {
  const found = /\.fc(\d+)\.\w+(?:\+debug)?$/.exec(release)?.[1];
  if (found === undefined) return undefined;
  return rpm(`Fedora ${found}`, 'kernel', release, { command: debuginfoInstall('dnf') });
}

/** Who compiled it: the same release is built by several, and their symbols differ. */
const builders: readonly (readonly [RegExp, string])[] = [
  [/@[\w.-]*stream\.[\w.]*redhat\.com\)|@[\w.-]*stream\.centos\.org\)/, 'CentOS Stream'],
  [/@[\w.-]*redhat\.com\)/, 'RHEL'],
  [/@[\w.-]*centos\.org\)/, 'CentOS'],
  [/@[\w.-]*almalinux\.org\)/, 'AlmaLinux'],
  [/@[\w.-]*rockylinux(?:\.org)?\)|@[\w.-]*rockylinux\.[\w.-]*\)/, 'Rocky Linux'],
  [/@[\w.-]*oracle\.com\)/, 'Oracle Linux'],
];

function redHat({ release, banner = '' }: KernelIdentity): DebugPackage | undefined {
  const found = /\.el(\d+)/.exec(release)?.[1];
  if (found === undefined) return undefined;
  const builder = builders.find(([host]) => host.test(banner))?.[1];
  const tool = Number(found) >= 8 ? 'dnf' : 'yum';
  const unsaid = 'RHEL or a rebuild of it: its banner does not say whose, so compare the build ID';
  return rpm(`${builder ?? 'RHEL family'} ${found}`, 'kernel', release, {
    command: debuginfoInstall(tool),
    note: builder === undefined ? unsaid : undefined,
  });
}

function debuginfoInstall(tool: string): (name: string) => string {
  return (name) => `${tool} install --enablerepo='*debug*' ${name}`;
}

interface RpmOptions {
  command(name: string): string;
  readonly note?: string | undefined;
}

/**
 * `kernel-debuginfo-RELEASE`; of a variant its name is in the release: `+debug` and `+rt` (since
 * RHEL 8 and 9), `.debug` at the end and `.rt` within before.
 */
function rpm(
  distribution: string,
  flavour: string,
  release: string,
  { command, note }: RpmOptions,
): DebugPackage {
  const marked = /^(.*?)[+.](debug|rt|rt-debug|64k|64k-debug)$/.exec(release);
  const isRealTime = marked === null && /\.rt\d+\./.test(release);
  const variant = marked?.[2] ?? (isRealTime ? 'rt' : undefined);
  const base = marked?.[1] ?? release;
  const name = `${flavour}${variant === undefined ? '' : `-${variant}`}-debuginfo-${base}`;
  const file = `/usr/lib/debug/lib/modules/${release}/vmlinux`;
  return { distribution, name, version: undefined, command: command(name), file, note };
}

/** The release has the package's version without its last number, which counts rebuilds. */
function suse({ release, banner = '', buildId }: KernelIdentity): DebugPackage | undefined {
  const parts = /^(\d[\w.]*-[\w.]+)-([a-z][\w]*)$/.exec(release);
  if (parts === null || !/SUSE/.test(banner)) return undefined;
  const [, version, flavour] = parts;
  const name = `kernel-${flavour}-debuginfo`;
  const isOpen = /openSUSE/.test(banner) || /-lp1\d/.test(release);
  // Since the kernel moved to /usr: SLE and Leap 16, Tumbleweed.
  const isInUsr = /Tumbleweed/.test(banner) || /-16\d{4}\./.test(release);
  const byBuildId = `zypper --plus-content debug install -C 'debuginfo(build-id)=${buildId}'`;
  return {
    distribution: isOpen ? 'openSUSE' : 'SUSE Linux',
    name,
    version: `${version}.*`,
    command: buildId === undefined ? `zypper --plus-content debug search -s ${name}` : byBuildId,
    file: isInUsr
      ? `/usr/lib/debug/usr/lib/modules/${release}/vmlinux.debug`
      : `/usr/lib/debug/boot/vmlinux-${release}.debug`,
    note: "the package's version goes on with a number that the release does not have",
  };
}

/** What a debuginfod server has it under, below its own address. */
export function debuginfodPath(buildId: string): string {
  return `buildid/${buildId}/debuginfo`;
}
