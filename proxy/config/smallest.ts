/** The smallest configuration that works; a test loads it. Shown where there is no configuration yet. */
export const SMALLEST_CONFIG = `defaultRegistry: docker.io
registries:
  - name: docker.io
    upstream: https://registry-1.docker.io
    trust: { server: https://notary.example.com }   # your Notary (v1) server
trust:
  firstUse: accept   # or pin root keys: trust.pins
policy:
  rules:
    - { name: signed-only, match: docker.io/**, mode: enforce }
`;
