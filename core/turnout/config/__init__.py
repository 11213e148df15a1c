"""From the command line, YAML files and Python values to one composed config.

============================  ==================================================================
`turnout.config.app`          ``python main.py ...``: the Hydra application behind `turnout.main`
`turnout.config.args`         the same composition without an application, from overrides
`turnout.config.plain`        a config made by the caller, for `turnout.run`; never loads Hydra
`turnout.config.composed`     what all three give: `Composed`
`turnout.config.environments` the ``execution_environment`` group and its schemas
`turnout.config.reserved`     the ``turnout`` node
`turnout.config.inputs`       the config a workflow's signature describes
`turnout.config.project`      the user's project and the name ``__main__`` goes by
============================  ==================================================================

This is the only package that imports Hydra, and the modules that do are imported on use.
"""
