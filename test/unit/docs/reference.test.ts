import { expect, test } from 'vitest';
import { COMMANDS } from '../../../src/cli/commands.ts';
import { declare } from '../../../src/config/options.ts';
import { Command } from 'commander';
import { referenceText } from './reference.ts';

test('docs/reference.md is the one that the commands define: npm run docs writes it', async () => {
  await expect(await referenceText()).toMatchFileSnapshot('../../../docs/reference.md');
});

test('it has every command and every option of missd run', async () => {
  const text = await referenceText();
  for (const name of COMMANDS.keys()) expect(text).toContain(`\n## missd ${name}\n`);
  for (const { flags, envVar = '' } of declare(new Command(), 'run').options) {
    expect(text).toContain(`\`${flags.replaceAll('|', '\\|')}\``);
    expect(text).toContain(`\`${envVar}\``);
  }
});
