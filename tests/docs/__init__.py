"""What README.md and docs/ show is run, and what they list is compared with the package.

How a document is read (blocks.py):

- A Python block whose first line is `# NAME.py` is that file, and an ini block whose first line is `# PATH` is that one.
- The other Python blocks of a document are one program, run in one world of RANKS ranks. A text block that comes next
  shows what a Python block prints; one without prints nothing.
- A console block holds commands behind `$ ` and what each prints, standard error included. They run in order in a
  folder of the document's own, where the files above them are.
- In what is shown `...` stands for anything in its line, and alone on a line for any number of lines.
- Blocks in `sh` are not run: they need a cluster, or install something.
"""
