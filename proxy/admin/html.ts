/**
 * HTML in which every interpolated text is escaped. Only the result of `html` itself is taken as markup, so a page
 * that forgets to escape cannot be written.
 */

export type Html = { readonly markup: string };
type Part = string | number | undefined | Html | readonly Html[];

export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Markup(strings.map((text, index) => text + toMarkup(parts[index])).join(''));
}

class Markup implements Html {
  readonly markup: string;
  constructor(markup: string) {
    this.markup = markup;
  }
}

function toMarkup(part: Part): string {
  if (part === undefined) return '';
  if (typeof part === 'string' || typeof part === 'number') return escapeHtml(String(part));
  if (part instanceof Markup) return part.markup;
  // Text that only looks like markup is escaped, not interpreted.
  return Array.isArray(part) ? part.map(toMarkup).join('') : escapeHtml(JSON.stringify(part));
}

const ENTITIES = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
]);

/** Safe between tags and in quoted attribute values. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES.get(character) ?? '');
}
