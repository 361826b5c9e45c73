using Microsoft.Extensions.Logging.Abstractions;
using Vfio.Core.Config;
using Vfio.Core.Sets;
using static Vfio.Core.Config.HeaderRegisters;

namespace Vfio.Core.Reset;

/// <summary>A function that a reset of its slot or bus takes with it, open or closed.</summary>
internal sealed class ResetTarget(SetMember member, HotResetFunction place)
{
    private bool _hasTurn;
    private bool _hasGate;
    private bool _isPrepared;
    private ConfigSnapshot? _saved;

    public SetMember Member { get; } = member;

    public HotResetFunction Place { get; } = place;

    /// <summary>Its gate, held alone; null for one that is closed.</summary>
    public AccessGate? Gate => Session?.Gate;

    /// <summary>The open device; null if it is closed. Does not change while its turn is held.</summary>
    public CoreSession? Session => Member.Session;

    /// <summary>Keeps it from being opened and closed, unless somebody does that now.</summary>
    public bool TryTakeTurn() => _hasTurn = Member.Turn.Wait(0);

    /// <summary>Keeps accesses out, unless somebody is in or wants to be alone.</summary>
    public bool TryCloseGate() => Gate is null || (_hasGate = Gate.TryClose());

    /// <summary>Ends its client's low power, and goes to D0, with the gate owned.</summary>
    public void Wake()
    {
        Gate?.Wake();
        Session?.Reset.Wake();
    }

    public void Prepare(ResetCause cause)
    {
        Session?.Reset.Prepare(cause);
        _isPrepared = true;
    }

    /// <summary>Saves what the reset loses, and stops the function.</summary>
    public void Quiesce()
    {
        if (Session is { } session)
        {
            _saved = session.Reset.Save();
            session.Reset.Quiesce();
            return;
        }

        var function = Member.Function;
        if (function.ReadConfig(RevisionAndClass, 4) == uint.MaxValue)
            return;
        var map = new ConfigMapBuilder(function, NullLogger.Instance);
        map.Build();
        _saved = ConfigSnapshot.Take(function, map.Map.Saved);
        function.WriteConfig(Command, 2, CommandIntxDisable);
    }

    public void Restore()
    {
        if (_saved is not { } saved)
            return;
        if (Session is { } session)
            session.Reset.Restore(saved);
        else
            saved.Restore(Member.Function);
    }

    public void Done(ResetCause cause)
    {
        if (_isPrepared)
            Session?.Reset.Done(cause);
    }

    /// <summary>Gives back what was taken.</summary>
    public void Release()
    {
        if (_hasGate)
            Gate!.Open();
        if (_hasTurn)
            Member.Turn.Release();
    }
}
