// How the search of the book ranks: as Sphinx does, but a page whose title holds the words that were typed comes first.
var Scorer = {
  objNameMatch: 11, objPartialMatch: 6, objPrio: {0: 15, 1: 5, 2: -5}, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
  score: ([, title, , , score]) => {
    const typed = (new URLSearchParams(location.search).get('q') || '').trim().toLowerCase();
    return score+(typed && title.toLowerCase().includes(typed) ? 20 : 0);
  },
};
