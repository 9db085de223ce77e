-- What the condition Ready of a ShieldCleanup means to Argo CD. Only Lua's base library is there: no string functions.
local function health(status, message)
  return { status = status, message = message }
end

if obj.status == nil or obj.status.conditions == nil then
  return health("Progressing", "the ShieldX operator has not looked at this clean-up yet")
end
if obj.metadata.generation ~= nil and obj.status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "the ShieldX operator has not looked at the latest change yet")
end

for _, condition in ipairs(obj.status.conditions) do
  if condition.type == "Ready" then
    if condition.status == "True" then
      return health("Healthy", condition.message)
    end
    return health("Degraded", condition.reason .. ": " .. condition.message)
  end
end
return health("Progressing", "the clean-up has no condition Ready yet")
