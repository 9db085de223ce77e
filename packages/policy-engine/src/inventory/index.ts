export { Inventory, type InventoryData } from "./inventory.ts";
