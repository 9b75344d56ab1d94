/** Where a command writes; each call is one or more whole lines. */
export type CommandIo = { readonly out: (line: string) => void; readonly err: (line: string) => void };

/** The command cannot do what was asked; the message is one line with the cause and the next step. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}
