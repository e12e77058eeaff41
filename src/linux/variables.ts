/**
 * C types of well-known global variables. BTF describes types and per-CPU variables only, so the
 * types of the others are stated here, as their declarations have them.
 */

export const variableTypes: Readonly<Record<string, string>> = {
  cpu_khz: 'unsigned int',
  crashing_cpu: 'int',
  crashk_low_res: 'struct resource',
  crashk_res: 'struct resource',
  init_mm: 'struct mm_struct',
  init_net: 'struct net',
  init_pid_ns: 'struct pid_namespace',
  init_task: 'struct task_struct',
  init_uts_ns: 'struct uts_namespace',
  iomem_resource: 'struct resource',
  ioport_resource: 'struct resource',
  jiffies: 'unsigned long',
  jiffies_64: 'unsigned long',
  kexec_crash_image: 'struct kimage *',
  kexec_image: 'struct kimage *',
  modules: 'struct list_head',
  nr_cpu_ids: 'unsigned int',
  panic_cpu: 'atomic_t',
  panic_on_oops: 'int',
  panic_timeout: 'int',
  tainted_mask: 'unsigned long',
};
