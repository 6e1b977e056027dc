"""MicroRNA precursors as images: encode, detect, simulate, explain. The names below are imported when they are first used."""

__version__ = "0.1.0"

_HOMES = {
    'Hairpin': 'hairpin',
    'fold': 'hairpin',
    'encode': 'encoding',
    'find_hairpins': 'scan',
    'Detector': 'cnn',
    'Generator': 'generator',
    'simulate': 'generator',
    'attribute': 'saliency',
    'Processing': 'processing',
    'variant_effects': 'variants',
}
__all__ = ['__version__', *_HOMES]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from importlib import import_module

    return getattr(import_module(f'{__name__}.{_HOMES[name]}'), name)


def __dir__():
    return sorted(__all__)
