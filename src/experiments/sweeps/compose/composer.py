"""From the overrides of thousands of jobs to their configs: one full composition per structure, the rest patched.

Hydra composes the first of the jobs that share a `ConfigTemplate`. A structure that Hydra refuses is refused once,
with the same words for all its jobs.
"""

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from experiments.config.explain import explain
from experiments.errors import UserError
from experiments.sweeps.compose.config_template import ConfigTemplate, Structural
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.literals import Literal, literal


class Composer:
    """Composes jobs. Lives as long as the sweep: sweepers of others launch many times."""

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        self.loader, self.master = loader, master
        self._templates: dict[tuple, ConfigTemplate | str] = {}
        self._refused: dict[tuple, str] = {}

    def compose(self, job: Job) -> Job:
        """Fill in the job's template and values, or its error."""
        literals = [literal(o) for o in job.overrides]
        structure = tuple(o for o, known in zip(job.overrides, literals, strict=True) if known is None)
        found: dict[str, Literal] = {known.path: known for known in literals if known is not None}
        at = (structure, tuple(found))
        template = self._form(*at)
        if isinstance(template, str):
            if at not in self._refused:  # Hydra's own words, found once for all jobs of this kind
                whole = self._form(job.overrides, ())
                self._refused[at] = whole if isinstance(whole, str) else template
            job.error = self._refused[at]
            return job
        if found and not template.simple:
            template, found = self._form(job.overrides, ()), {}
            if isinstance(template, str):
                job.error = template
                return job
        job.template, job.written = template, tuple(known.value for known in found.values())
        try:
            job.config, job.values = template.typed(job.written)
            job.digest = template.hash(job.values)
        except UserError as error:
            job.error = str(error)
            return job
        return job

    def _form(self, structure: tuple[str, ...], paths: tuple[str, ...]) -> ConfigTemplate | str:
        at = (structure, paths)
        if at not in self._templates:
            try:
                composed = self.loader.load_sweep_config(self.master, list(structure))
                self._templates[at] = ConfigTemplate(composed, paths)
            except Structural:
                self._templates[at] = "unknown key"
            except Exception as error:
                explained = explain(error)
                if explained is None:
                    raise
                self._templates[at] = str(explained)
        return self._templates[at]
