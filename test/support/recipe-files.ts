/** Every recipe as a file of its own, for commands that are asked about all of them in one run. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileOf, preparedCodecs, recipeFiles, recipesOf } from '../recipes/recipes.ts';

/** The paths, in the order of the recipes. */
export async function writeRecipes(folder: string): Promise<string[]> {
  const codecs = await preparedCodecs();
  return recipeFiles.flatMap((file) =>
    recipesOf(file).map((recipe) => {
      const path = join(folder, `${file}-${recipe.name.replace(/\W+/g, '-')}`);
      writeFileSync(path, fileOf(recipe, codecs));
      return path;
    }),
  );
}
