// Run by node in the plugin's folder, whose node_modules has the tool.
import { writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const [sourcePath, witPath, output] = process.argv.slice(-3);
try {
  const { component } = await componentize({
    sourcePath,
    witPath,
    worldName: 'destination',
    disableFeatures: ['random', 'stdio', 'clocks', 'http', 'fetch-event'],
  });
  await writeFile(output, component);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
