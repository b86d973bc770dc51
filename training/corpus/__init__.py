"""The corpus: hand-written text in this folder, and the code that reads and builds from it.

Layout, one item a line, "# " comments, "## kind" section headers:

    <ja|en>/utterances/<mood>.txt    what people say, by the mood that it puts the cat in
    <ja|en>/templates/<mood>.txt     utterances with slots such as {food}; `templates` has the syntax
    <ja|en>/words/<slot>.txt         the words that may stand in a slot
    <ja|en>/replies/<mood>.txt       what the cat answers in that mood, canonical cat speak
    <ja|en>/dialogues/*.txt          blocks of "human: ..." and "cat: <mood>" lines, an empty line between blocks;
                                     " | " parts wordings of one line, each of which goes with all the others

Sections of an utterance file: direct (the mood's usual words), indirect (the mood is implied), near-miss (a keyword of
another mood stands there), chat (chat habits), out-of-scope (nothing a cat understands; curious and aloof only).

`reader` reads the files, `check` judges them, `builder` makes the stream of training examples, `augment` its noise.
All of it was written for this project. Message content from Discord is never training data.
"""
