"""What people write instead: Hydra's decorator, the tutorial's DataLoader loop, torch.optim.SGD, a SummaryWriter.

The measure of `startup.py` and `sweep.py`. It knows nothing of this project.
"""

import hydra
import torch
import torch.nn.functional as F
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.tensorboard import SummaryWriter

ROWS = [
    [73, 67, 43, 56, 70], [91, 88, 64, 81, 101], [87, 134, 58, 119, 133], [102, 43, 37, 22, 37],
    [69, 96, 70, 103, 119], [74, 66, 43, 57, 69], [91, 87, 65, 80, 102], [88, 134, 59, 118, 132],
    [101, 44, 37, 21, 38], [68, 96, 71, 104, 118], [73, 66, 44, 57, 69], [92, 87, 64, 82, 100],
    [87, 135, 57, 118, 134], [103, 43, 36, 20, 38], [68, 97, 70, 102, 120],
]  # fmt: skip


@hydra.main(version_base="1.3", config_path="plain_conf", config_name="config")
def main(cfg: DictConfig) -> float:
    folder = HydraConfig.get().runtime.output_dir
    torch.manual_seed(cfg.seed)
    table = torch.tensor(ROWS, dtype=torch.float32)
    x, y = table[:, :3], table[:, 3:]
    loader = DataLoader(TensorDataset(x, y), cfg.training.batch_size, shuffle=True)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=cfg.optimizer.lr)
    writer = SummaryWriter(folder)
    writer.add_text("config", OmegaConf.to_yaml(cfg))
    loss = torch.tensor(0.0)
    for epoch in range(1, cfg.training.epochs + 1):
        for xb, yb in loader:
            F.mse_loss(model(xb), yb).backward()
            optimizer.step()
            optimizer.zero_grad()
        with torch.no_grad():
            loss = F.mse_loss(model(x), y)
        writer.add_scalar("loss/train", loss.item(), epoch)
        writer.add_scalar("optimizer/lr", cfg.optimizer.lr, epoch)
    writer.close()
    torch.save(model.state_dict(), f"{folder}/model.pt")
    print(f"loss over all rows {loss.item():.4f}")
    return loss.item()


if __name__ == "__main__":
    main()
