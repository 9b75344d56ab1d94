/** Where in a text something stands. */

/**
 * The line, from 1, of the last of some texts that stand in this order, each on the line of the one before it or below;
 * comments do not count. A text that is not found is passed over, so the nearest place is named.
 */
export function lineOf(text: string, ...needles: readonly (string | RegExp)[]): number {
  const lines = text.split('\n');
  let at = 0;
  for (const needle of needles) {
    const found = lines.findIndex((line, index) => index >= at && !isComment(line) && holds(line, needle));
    if (found >= 0) at = found;
  }
  return at + 1;
}

/** The first line of a section, from 1 and without its end, that holds a text; the section's first when none does. */
export function lineWithin(
  text: string,
  { start, end }: { readonly start: number; readonly end: number },
  needle: string | RegExp,
): number {
  const section = text.split('\n').slice(start - 1, end - 1);
  return (
    start +
    Math.max(
      0,
      section.findIndex((line) => !isComment(line) && holds(line, needle)),
    )
  );
}

/** Every line, from 1, that holds a text. */
export function linesOf(text: string, needle: RegExp): readonly number[] {
  return text.split('\n').flatMap((line, at) => (!isComment(line) && needle.test(line) ? [at + 1] : []));
}

function isComment(line: string): boolean {
  return /^\s*[#;]/.test(line);
}

function holds(line: string, needle: string | RegExp): boolean {
  return typeof needle === 'string' ? line.includes(needle) : needle.test(line);
}
