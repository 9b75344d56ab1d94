/**
 * What is mutated, which tests look at it, and how many mutants they must notice (in percent). `tests` are folders of
 * test/; `leftOut` are files of them that take seconds for nearly every mutant, and a single test is left out that cost
 * more than `longest` milliseconds in the first run.
 */
export const GROUPS = {
  'trust-client': {
    mutate: ['proxy/trust-client/*.ts'],
    tests: ['trust-client', 'attacks'],
    leftOut: [
      // Thousands of rows or values, or bodies of megabytes.
      'base64-of-12-mib',
      'corrupter',
      'endless-data',
      'large-answers-hold-up-the-loop',
      'many-large-repositories',
      'many-roots',
      'one-tag-with-30-mib-custom',
      'refused-tag-in-a-large-repository',
      'single-byte-change',
      'thousands-of-bogus-signatures',
      // About other parts of the proxy.
      'address-behind-a-wildcard',
      'another-name-inside-a-tunnel',
      'answers-nobody-asked-for',
      'answers-that-are-not-200',
      'audit-is-never-blocked',
      'bodies-that-never-end',
      'connaisseur-redos',
      'flooded-manifest-cache',
      'log-reader-that-hangs',
      'manifest-of-many-values',
      'one-client-takes-every-connection',
      'page-reads-the-admin-port',
      'realm-leads-elsewhere',
      'schema1-type-smuggles-members',
      'second-client-hello',
      'shared-cache',
      'withdrawn-client-authority',
      'withdrawn-tunnel',
    ],
    longest: 100,
    least: 96,
  },
  policy: {
    mutate: ['proxy/policy/*.ts'],
    tests: ['policy'],
    leftOut: [],
    longest: 100,
    least: 85,
  },
  // What decides: the grammar, the forms of refusals, what passes and what is confirmed. Not what only moves bytes.
  registry: {
    mutate: [
      'content/confirmed',
      'content/json-members',
      'content/media-type',
      'content/schema1',
      'forward/bodies',
      'forward/headers',
      'names/digest',
      'names/reference',
      'names/registry-table',
      'registry/image-configs',
      'registry/manifest',
      'registry/ping',
      'registry/referrers',
      'registry/signed-manifests',
      'registry/tag-collection',
      'registry/tags',
      'upstream/account/own-account',
      'upstream/account/realm',
      'upstream/account/token',
      'upstream/flights',
      'upstream/outcome',
      'upstream/redirect',
      'upstream/relay',
      'upstream/retry-after',
      'wire/answers',
      'wire/asked',
      'wire/caching',
      'wire/challenge',
      'wire/explain-path',
      'wire/link',
      'wire/query',
      'wire/refusal-forms',
      'wire/route',
      'wire/route-label',
      'wire/wire-errors',
    ].map((name) => `proxy/${name}.ts`),
    // Those of test/pull start a proxy and a registry each, and would take an hour; what they ask is asked directly here.
    tests: ['content', 'forward', 'names', 'registry', 'upstream', 'upstream/account', 'wire'],
    // Megabytes, a garbage collector that never rests, and a proxy and a registry for each test.
    leftOut: ['large-answers', 'deadline', 'forwarder'],
    longest: 250,
    least: 85,
  },
};

/** The group of this process and of those it starts. */
export function currentGroup() {
  return GROUPS[process.env['MUTATION_GROUP'] ?? 'trust-client'];
}
