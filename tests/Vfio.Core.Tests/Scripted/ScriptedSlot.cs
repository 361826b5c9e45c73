namespace Vfio.Core.Tests.Scripted;

/// <summary>A slot or bus whose functions are scripted: a reset puts their registers at their defaults.</summary>
internal sealed class ScriptedSlot : IHotResetDomain
{
    private readonly List<(ScriptedFunction Function, int Group)> _functions = [];

    public IReadOnlyList<HotResetFunction> Functions => [.. _functions.Select(f => new HotResetFunction(f.Function.Address, f.Group))];

    public int Resets { get; private set; }

    public Func<CancellationToken, ValueTask<VfioResult>>? OnReset { get; set; }

    /// <summary>Adds a function, in address order.</summary>
    public ScriptedFunction Add(int number, int? group = null, byte[]? config = null, bool flr = true, bool isVirtual = false)
    {
        var function = new ScriptedFunction(config ?? new Hardware().Bytes)
        {
            Address = new(0, 1, 0, (byte)number),
            VirtualFunctionIndex = isVirtual ? number - 1 : -1,
            PhysicalFunction = isVirtual ? new(0, 1, 0, 0) : null,
            ResetMethods = flr ? [FunctionResetMethod.Flr] : [],
            HotResetDomain = this,
        };
        function.Bars[0] = new ScriptedBar(4096);
        _functions.Add((function, group ?? number));
        return function;
    }

    public async ValueTask<VfioResult> ResetAsync(CancellationToken cancellationToken)
    {
        Resets++;
        var result = OnReset is null ? VfioResult.Success : await OnReset(cancellationToken);
        if (result.IsSuccess)
            _functions.ForEach(f => f.Function.ResetRegisters());
        return result;
    }
}
