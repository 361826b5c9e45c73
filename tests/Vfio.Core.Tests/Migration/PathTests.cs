using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Migration;

/// <summary>Every state and request of the four combinations, against the paths that the reference (6.3) writes out.</summary>
public sealed class PathTests
{
    private const string OnlyStopCopy = """
              S       R        SC      RES
        S     =       R        SC      RES
        R     S       =        S.SC    S.RES
        SC    S       S.R      =       S.RES
        RES   S       S.R      S.SC    =
        """;

    private const string WithP2P = """
              S       R        SC        RES        RP
        S     =       RP.R     SC        RES        RP
        R     RP.S    =        RP.S.SC   RP.S.RES   RP
        SC    S       S.RP.R   =         S.RES      S.RP
        RES   S       S.RP.R   S.SC      =          S.RP
        RP    S       R        S.SC      S.RES      =
        """;

    private const string WithPreCopy = """
              S       R        SC      RES      PC
        S     =       R        SC      RES      R.PC
        R     S       =        S.SC    S.RES    PC
        SC    S       S.R      =       S.RES    EINVAL
        RES   S       S.R      S.SC    =        S.R.PC
        PC    R.S     R        SC      R.S.RES  =
        """;

    private const string WithBoth = """
              S       R        SC        RES          RP     PC         PCP
        S     =       RP.R     SC        RES          RP     RP.R.PC    RP.PCP
        R     RP.S    =        RP.S.SC   RP.S.RES     RP     PC         RP.PCP
        SC    S       S.RP.R   =         S.RES        S.RP   EINVAL     EINVAL
        RES   S       S.RP.R   S.SC      =            S.RP   S.RP.R.PC  S.RP.PCP
        RP    S       R        S.SC      S.RES        =      R.PC       PCP
        PC    R.RP.S  R        PCP.SC    R.RP.S.RES   R.RP   =          PCP
        PCP   RP.S    RP.R     SC        RP.S.RES     RP     PC         =
        """;

    private const MigrationCapabilities StopCopyOnly = MigrationCapabilities.StopCopy;
    private const MigrationCapabilities P2P = MigrationCapabilities.StopCopy | MigrationCapabilities.P2P;
    private const MigrationCapabilities Precopy = MigrationCapabilities.StopCopy | MigrationCapabilities.PreCopy;

    private static readonly Dictionary<string, MigrationState> Names = new()
    {
        ["S"] = Stop, ["R"] = Running, ["SC"] = StopCopy, ["RES"] = Resuming, ["RP"] = RunningP2P, ["PC"] = PreCopy, ["PCP"] = PreCopyP2P,
    };

    private static readonly (MigrationCapabilities Capabilities, string Table)[] Tables =
        [(StopCopyOnly, OnlyStopCopy), (P2P, WithP2P), (Precopy, WithPreCopy), (ScriptedMigration.All, WithBoth)];

    public static TheoryData<MigrationCapabilities, MigrationState, MigrationState, string> Cells
    {
        get
        {
            var data = new TheoryData<MigrationCapabilities, MigrationState, MigrationState, string>();
            foreach (var (capabilities, table) in Tables)
            {
                var lines = table.Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToArray();
                foreach (var row in lines[1..])
                {
                    for (var column = 0; column < lines[0].Length; column++)
                        data.Add(capabilities, Names[row[0]], Names[lines[0][column]], row[column + 1]);
                }

                // What the device has no capability for, ERROR, and what is no state at all.
                foreach (var row in lines[1..])
                {
                    var present = lines[0].Select(name => Names[name]);
                    foreach (var absent in Names.Values.Except(present).Concat([Error, (MigrationState)8, (MigrationState)(-1)]))
                        data.Add(capabilities, Names[row[0]], absent, "EINVAL");
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cells))]
    [Trait("Trap", "36")]
    public async Task A_request_walks_the_arcs_of_the_reference(
        MigrationCapabilities capabilities, MigrationState from, MigrationState to, string cell)
    {
        var it = new Migrating(capabilities);
        await it.GoAsync(from);
        it.Variant.Arcs.Clear();
        if (cell == "EINVAL")
        {
            Assert.Equal(Errno.EINVAL, await it.FailAsync(to));
            Assert.Empty(it.Variant.Arcs);
            Assert.Equal(from, await it.StateAsync());
            return;
        }

        var stream = await it.GoAsync(to);

        MigrationState[] states = cell == "=" ? [from] : [from, .. cell.Split('.').Select(name => Names[name])];
        Assert.Equal(states.Zip(states.Skip(1), (a, b) => new MigrationArc(a, b)), it.Variant.Arcs);
        Assert.Equal(to, await it.StateAsync());

        // A stream where the last arc begins one: into the saving states from outside of them, and into RESUMING.
        MigrationState[] saving = [StopCopy, PreCopy, PreCopyP2P];
        var before = states.Length > 1 ? states[^2] : to;
        var begins = cell != "=" && (to == Resuming || (saving.Contains(to) && !saving.Contains(before)));
        Assert.Equal(begins, stream is not null);
        if (stream is not null)
            Assert.Equal(to != Resuming, stream.IsSaving);
    }

    [Theory]
    [MemberData(nameof(Cells))]
    public async Task A_step_that_fails_leaves_the_last_state_that_was_reached(
        MigrationCapabilities capabilities, MigrationState from, MigrationState to, string cell)
    {
        if (cell is "=" or "EINVAL")
            return;
        MigrationState[] states = [from, .. cell.Split('.').Select(name => Names[name])];
        for (var failing = 0; failing < states.Length - 1; failing++)
        {
            var it = new Migrating(capabilities);
            await it.GoAsync(from);
            var refused = new MigrationArc(states[failing], states[failing + 1]);
            it.Variant.OnStep = (arc, _, _) => new(arc == refused ? Errno.EBUSY : Errno.None);
            Assert.Equal(Errno.EBUSY, await it.FailAsync(to));
            Assert.Equal(states[failing], await it.StateAsync());
        }
    }
}
