namespace Vfio.Core.Config;

/// <summary>
/// What a write to a block sets off. Called for each aligned piece of a write, in place of <see cref="VirtualConfig.WriteDefault"/>.
/// </summary>
internal abstract class ConfigTrap(TrapContext context, ConfigBlock block)
{
    protected TrapContext Context { get; } = context;

    protected ConfigBlock Block { get; } = block;

    protected IPciFunction Function => Context.Function;

    protected ShadowConfig Shadow => Context.Shadow;

    /// <summary>A piece of a write.</summary>
    /// <param name="at">Offset in configuration space, a multiple of the width.</param>
    /// <param name="width">1, 2 or 4.</param>
    /// <param name="value">The value.</param>
    public abstract void Write(int at, int width, uint value);

    /// <summary>Whether a register is this block's: it may be too short for it, or overlapped by a later one.</summary>
    protected bool Owns(int at, int width) => Context.Map.BlockAt(at) == Block && Context.Map.BlockAt(at + width - 1) == Block;

    protected void WriteDefault(int at, int width, uint value) => Context.Config.WriteDefault(Block, at, width, value);
}
