/** What is needed of `process`. */
type WarningSource = { emitWarning(warning: string | Error, ...rest: never[]): void };

/**
 * Drops one of Node's deprecation warnings, by its code; all others are printed as before.
 *
 * http-proxy 1.18.1, the last one, calls `util._extend`. Node 22 and later say so on standard error (DEP0060), as plain
 * text among the JSON lines of the log, and the operator can do nothing about it. `--disable-warning` would
 * have to stand in every command that starts the proxy, and a Node that is too old does not know the option.
 */
export function dropWarning(source: WarningSource, code: string): void {
  const emit = source.emitWarning.bind(source) as (...all: unknown[]) => void;
  // util.deprecate's form: the text, "DeprecationWarning", the code.
  source.emitWarning = (...all: unknown[]) => {
    if (all[2] !== code) emit(...all);
  };
}
