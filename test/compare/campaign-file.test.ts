/** `compare.yaml`: what it may say, and what is said of one that is wrong. */

import { describe, expect, test } from 'vitest';
import { campaignTemplate, parseCampaignFile } from '../../src/compare/campaign-file.ts';

describe('a campaign file', () => {
  test('has the members of its template', () => {
    const file = parseCampaignFile(campaignTemplate, 'f');
    expect(file.seeds).toBe(5);
    expect(file.methods).toContain('kexec');
    expect(file.mixes?.[0]).toMatchObject({ name: 'field', by: 'point' });
    expect(file.require).toEqual(['kexec.complete >= 0.5']);
  });

  test('may say a word where a list has one', () => {
    expect(parseCampaignFile('methods: kexec\nlevel: 31\n', 'f')).toEqual({
      methods: ['kexec'],
      level: '31',
    });
  });

  test.each([
    ['[1]', 'a campaign is a map of members'],
    ['method: kexec', 'method: there is no such member (did you mean'],
    ['methods: {a: 1}', 'methods: is no list of words'],
    ['methods: []', 'methods: is no list of words'],
    ['seeds: -1', 'seeds: is no whole number'],
    ['seeds: "5"', 'seeds: is no whole number'],
    ['level: [1]', 'level: is no word'],
    ['mixes: {a: {by: moon, weights: {}}}', 'mixes.a.by: is no axis'],
    ['mixes: {a: {by: load, weights: {idle: x}}}', 'mixes.a.weights.idle: is no number'],
    ['a: &x 1\nb: *x', 'no usable YAML'],
  ])('%j is refused', (text, message) => {
    expect(() => parseCampaignFile(text, 'f')).toThrow(message);
  });
});
