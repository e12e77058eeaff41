/** Operands that several commands take. */

import type { Operand } from './command.ts';

/** `selectTasks` finds them. */
export const taskOperand: Operand = {
  name: 'task',
  description: 'a PID, a task_struct address, a command name or a regular expression for it',
  names: ['task'],
};
