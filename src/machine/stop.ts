/**
 * How a run on the machine ends where no method planned it. Thrown by the machine itself, caught by
 * the one loop that runs stages; a method neither throws nor sees it.
 */

export type StopKind =
  /** A CPU touched memory that its page tables do not give it. */
  | 'nested fault'
  /** A CPU reached text that is not the kernel's own any more. */
  | 'wild jump'
  /** No event is left, or the horizon passed. */
  | 'hang'
  /** The hardware watchdog ended it. */
  | 'reset'
  /** The power failed. */
  | 'power loss'
  /** The input image does not hold a page that the outcome depends on. */
  | 'lacking';

export class MachineStop extends Error {
  override readonly name = 'MachineStop';
  readonly kind: StopKind;
  /** The function, address or device that it happened at. */
  readonly object: string;

  constructor(kind: StopKind, cause: string, object: string, origin?: unknown) {
    super(cause, origin === undefined ? undefined : { cause: origin });
    this.kind = kind;
    this.object = object;
  }
}
