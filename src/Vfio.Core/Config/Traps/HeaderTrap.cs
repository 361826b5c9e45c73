using static Vfio.Core.Config.HeaderRegisters;

namespace Vfio.Core.Config;

/// <summary>COMMAND and the BARs. Source: the kernel's <c>vfio_basic_config_write</c>.</summary>
internal sealed class HeaderTrap : ConfigTrap
{
    private const uint DecodeBits = CommandIo | CommandMemory;
    private readonly BarRegisters _bars;

    public HeaderTrap(TrapContext context, ConfigBlock block)
        : base(context, block)
    {
        _bars = new(context.Function, context.Shadow);
        lock (Shadow.Changing)
            _bars.Size();
    }

    public override void Write(int at, int width, uint value)
    {
        if (at == Command)
            WriteCommand(width, value);
        else
            WriteDefault(at, width, value);
        if (at is Command or Command + 1)
            Context.Interrupts.SetIntxDisabled((Shadow.Read(Command, 2) & CommandIntxDisable) != 0, Context.Gate.IsOwner);
        if (at is >= Bar0 and < BarEnd or >= Rom and < RomEnd)
        {
            lock (Shadow.Changing)
                _bars.Size();
        }
    }

    private void WriteCommand(int width, uint value)
    {
        var entered = Context.Gate.EnterAlone();
        try
        {
            if (!Context.Gate.IsOver && WasReset(value))
                RestoreHardware();
            WriteDefault(Command, width, value);
            lock (Shadow.Changing)
                Shadow.Merge(Command, 2, DecodeBits, value);
        }
        finally
        {
            Context.Gate.ExitAlone(entered);
        }
    }

    private void RestoreHardware()
    {
        _bars.RestoreHardware();
        if (Context.HideIntx)
            Context.Config.MergeHardware(Command, 2, CommandIntxDisable, CommandIntxDisable);
    }

    // Decoding that was on for the guest and is off in the hardware: somebody reset the function behind our back.
    private bool WasReset(uint value)
    {
        if (Function.VirtualFunctionIndex >= 0)
            return false;
        var lost = value & Shadow.Read(Command, 2) & ~Function.ReadConfig(Command, 2) & DecodeBits;
        return lost != 0 || _bars.HardwareDiffers();
    }
}
