import { declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin';

/** Which argument of a function is part of a sentence for people: nothing may depend on it, so no test compares it. */
const SENTENCE = new Map([
  ['TrustError', 2],
  ['invalid', 2],
  ['unreachable', 2],
  ['damaged', 1],
  ['fault', 0],
  ['Error', 0],
  ['RangeError', 0],
  ['TypeError', 0],
  ['UpstreamError', 1],
  ['badName', 0],
  ['refused', 1],
  ['problem', 1],
  // The path of a member, which is named where it is not as it must be.
  ['parseMeta', 2],
  ['parseRole', 3],
  ...['struct', 'closedStruct', 'object', 'array', 'string', 'strings', 'integer'].map((name) => [
    `read.${name}`,
    1,
  ]),
]);

function isSentence(path) {
  for (let at = path; at.parentPath !== null; at = at.parentPath) {
    const call = at.parent;
    const position = SENTENCE.get(nameOf(call.callee)) ?? SENTENCE.get(call.callee?.property?.name);
    if (position !== undefined && call.arguments[position] === at.node) return true;
    if (at.isStatement()) return false;
  }
  return false;
}

function nameOf(callee) {
  return callee?.type === 'MemberExpression' ? `${callee.object.name}.${callee.property.name}` : callee?.name;
}

export const strykerPlugins = [
  declareValuePlugin(PluginKind.Ignore, 'sentences', {
    shouldIgnore: (path) => (isSentence(path) ? 'the text of an error' : undefined),
  }),
];
