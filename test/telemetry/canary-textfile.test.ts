import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { toCanaryTextfile } from '../../proxy/telemetry/canary-textfile.ts';
import { AT } from './fixtures.ts';

const ENFORCED = `# HELP pullwarden_canary_held 1 when the last pull of the canary showed that the pulls of this client go through the proxy, else 0.
# TYPE pullwarden_canary_held gauge
pullwarden_canary_held{client="dockerd"} 1

# HELP pullwarden_canary_result 1 for the result of the last pull of the canary.
# TYPE pullwarden_canary_result gauge
pullwarden_canary_result{client="dockerd",result="enforced"} 1
pullwarden_canary_result{client="dockerd",result="bypassed"} 0
pullwarden_canary_result{client="dockerd",result="inconclusive"} 0

# HELP pullwarden_canary_timestamp_seconds When the canary was last pulled, as Unix time.
# TYPE pullwarden_canary_timestamp_seconds gauge
pullwarden_canary_timestamp_seconds{client="dockerd"} ${AT.getTime() / 1000}
`;

test('the file has each metric with its help and type', async () => {
  expect(await toCanaryTextfile({ client: 'dockerd', result: 'enforced', at: AT })).toBe(ENFORCED);
});

test.each(['bypassed', 'inconclusive'] as const)('after %s the metric is 0', async (result) => {
  const text = await toCanaryTextfile({ client: 'ctr', result, at: AT });
  expect(text).toContain('pullwarden_canary_held{client="ctr"} 0\n');
  expect(text).toContain(`pullwarden_canary_result{client="ctr",result="${result}"} 1\n`);
});

const hasPromtool = spawnSync('promtool', ['--version']).error === undefined;
(hasPromtool ? test : test.skip)('promtool finds no fault with it', () => {
  const { status, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: ENFORCED,
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
