-- What the condition Ready of a ShieldBreakGlass means to Argo CD. Only Lua's base library is there: no string functions.
local function health(status, message)
  return { status = status, message = message }
end

if obj.status == nil or obj.status.conditions == nil then
  return health("Progressing", "the ShieldX operator has not looked at this break-glass yet")
end
if obj.metadata.generation ~= nil and obj.status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "the ShieldX operator has not looked at the latest change yet")
end

for _, condition in ipairs(obj.status.conditions) do
  if condition.type == "Ready" then
    if condition.status == "True" then
      return health("Healthy", condition.message)
    end
    if condition.reason == "Opening" then
      return health("Progressing", condition.message)
    end
    -- Its end is what it was written for: not a fault, but nothing that works either.
    if condition.reason == "Expired" then
      return health("Suspended", condition.message)
    end
    return health("Degraded", condition.reason .. ": " .. condition.message)
  end
end
return health("Progressing", "the break-glass has no condition Ready yet")
