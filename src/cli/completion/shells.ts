/**
 * What the shells need to ask `tsdump completion query` for what fits. Nothing of a line is ever
 * evaluated: what stands on it goes in as words (zsh, fish) or as one text (bash, which cuts words
 * at = and :). An answer is a line for each candidate, value and meaning with a tab between, and a
 * line `:files` with endings where names of files fit as well.
 */

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

const bash = String.raw`# bash completion for tsdump: source <(tsdump completion bash)
_tsdump() {
  local line before word="\${COMP_WORDS[COMP_CWORD]}" files=
  # For tsdump = and : are parts of a word. Only what follows the last of them is replaced.
  [[ $word == [=:] ]] && word=
  line="\${COMP_LINE:0:COMP_POINT}"
  before="\${line##*[[:space:]]}"
  before="\${before%"$word"}"
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files* ]]; then
      files=yes
    else
      line="\${line%%$'\t'*}"
      COMPREPLY+=("\${line#"$before"}")
    fi
  done < <("$1" completion query --line "\${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
  if [[ \${#COMPREPLY[@]} -eq 0 && -n $files ]]; then
    compopt -o default
  elif [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *[=:,] ]]; then
    compopt -o nospace
  fi
}
complete -F _tsdump tsdump
`;

const zsh = String.raw`#compdef tsdump
# zsh completion for tsdump: source <(tsdump completion zsh), behind compinit
_tsdump() {
  local line value meaning files= globs
  local -a whole parts
  while IFS= read -r line; do
    value="\${line%%$'\t'*}"
    meaning="\${line#*$'\t'}"
    case $line in
      :files*) files=yes; globs="\${(j:|:)\${=line#:files}}" ;;
      # Behind these the word goes on.
      *[=:,]$'\t'*) parts+=("\${value//:/\\:}:$meaning") ;;
      *) whole+=("\${value//:/\\:}:$meaning") ;;
    esac
  done < <("\${(Q)words[1]}" completion query "\${(@Q)words[2,CURRENT]}" 2>/dev/null)
  local found=1
  if (( \${#whole} )); then _describe tsdump whole && found=0; fi
  if (( \${#parts} )); then _describe tsdump parts -S '' && found=0; fi
  if [[ -n $files ]]; then
    # Behind --option= only the rest is a name.
    [[ $PREFIX == --*=* ]] && compset -P '*='
    if [[ -n $globs ]]; then _files -g "*(\${globs})" && found=0; else _files && found=0; fi
  fi
  return found
}
if [[ \${funcstack[1]} == _tsdump ]]; then _tsdump "$@"; else compdef _tsdump tsdump; fi
`;

const fish = String.raw`# fish completion for tsdump: tsdump completion fish | source
function __tsdump_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  for line in ($words[1] completion query $words[2..-1] "$current" 2>/dev/null)
    switch $line
      case ':files*'
        set -l prefix (string match -r -- '^--[^=]*=' $current)
        set -l endings (string split -n ' ' -- (string replace ':files' '' -- $line))
        for name in (complete -C "' ' "(string replace -r -- '^--[^=]*=' '' $current))
          set -l bare (string split -f1 \t -- $name)
          if not set -q endings[1]; or string match -q '*/' -- $bare
            echo "$prefix$bare"
          else
            for ending in $endings
              string match -q -- "*$ending" $bare; and echo "$prefix$bare"
            end
          end
        end
      case '*'
        echo $line
    end
  end
end
complete -c tsdump -f -a '(__tsdump_complete)'
`;

/** The text that the shell is to source. */
export function shellScript(shell: Shell): string {
  const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
  return scripts[shell].replaceAll('\\${', '${');
}

/** Escaped character, single and double quotes, what the shell would run, blanks, the rest. */
const partOfLine = new RegExp(
  [
    /\\([\s\S]?)/,
    /'([^']*)'?/,
    /"((?:\\[\s\S]|[^"\\])*)"?/,
    /(\$\([^)]*\)?|`[^`]*`?)/,
    /(\s+)/,
    /([^\s\\'"`$]+|\$)/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
);

/** The words of a line of bash, the last one perhaps empty; quotes may be open. */
export function wordsOfLine(line: string): string[] {
  const words = [''];
  for (const [, escaped, single, double, command, blank, plain] of line.matchAll(partOfLine)) {
    if (blank !== undefined) {
      words.push('');
      continue;
    }
    const unquoted = double?.replace(/\\(["\\$`])/g, '$1');
    words[words.length - 1] += escaped ?? single ?? unquoted ?? command ?? plain ?? '';
  }
  return words;
}
