"""What a new user has after one ``pip install 'isoform[...]'``: ``make fresh`` makes the environments and tries them.

Each lies in a temporary folder with one extra and nothing else; what is converted there is made there too. It takes
minutes and needs the package index; CI runs tests/contract/test_missing_packages.py instead, which hides packages.
"""
