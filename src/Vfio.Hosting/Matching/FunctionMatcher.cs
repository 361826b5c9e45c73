using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Vfio.Core;
using Vfio.Hosting.Devices;

namespace Vfio.Hosting;

/// <summary>
/// Asks the candidates for a function, best first, until one takes it. What a driver does wrong costs it this function, and a hang all of
/// them.
/// </summary>
internal sealed class FunctionMatcher(
    DriverTable table,
    IControllingFunctions controllers,
    DeviceSets sets,
    VfioHostOptions options,
    TimeProvider time,
    ILoggerFactory loggers)
{
    private readonly ConcurrentDictionary<string, string> _hung = new(StringComparer.Ordinal);
    private readonly ILogger _logger = loggers.CreateLogger<FunctionMatcher>();
    private readonly ConditionalWeakTable<VfioDevice, string> _owners = [];

    /// <summary>Matches a function.</summary>
    /// <param name="function">The function.</param>
    /// <param name="driver">Only the driver of this name; null for the best one.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What became of every driver, and the device of the one that took the function.</returns>
    public async Task<(FunctionMatch Match, BoundDevice? Bound)> MatchAsync(
        IPciFunction function, string? driver, CancellationToken cancellationToken)
    {
        var rows = new List<CandidateMatch>();
        BoundDevice? bound = null;
        foreach (var candidate in table.Candidates(function.Id, driver))
        {
            var verdict = CandidateVerdict.Passed;
            var reason = (string?)candidate.Reason;
            if (bound is null && candidate.IsEligible)
                (verdict, reason, bound) = await AskAsync(function, candidate.Driver, cancellationToken).ConfigureAwait(false);
            rows.Add(new(
                candidate.Driver.Name,
                candidate.Registered.Origin,
                candidate.Entry?.ToString(),
                candidate.Entry?.Wildcards,
                verdict,
                reason));
        }

        return (new(
            function.Address.ToString(),
            Alias(function.Id),
            bound?.Driver,
            bound is not null ? bound.Degraded : NoDriver(driver, rows),
            bound?.Profile,
            bound?.Profiles ?? [],
            bound?.Migration ?? [],
            rows), bound);
    }

    private async Task<(CandidateVerdict Verdict, string? Reason, BoundDevice? Bound)> AskAsync(
        IPciFunction function, VariantDriver driver, CancellationToken cancellationToken)
    {
        if (_hung.TryGetValue(driver.Name, out var hung))
            return (CandidateVerdict.Failed, hung, null);
        // A core of its own for each: one that a failed driver still holds is not the next one's.
        var core = VfioPciCores.Over(
            function, loggers.CreateLogger<VfioPciCore>(), new() { Sets = sets, HideIntx = FunctionQuirks.HasBrokenIntx(function.Id) });
        var asked = await AskAsync(function, driver, core, cancellationToken).ConfigureAwait(false);
        if (asked.Bound is null)
            await TakeBackAsync(function, driver, core).ConfigureAwait(false);
        return asked;
    }

    // A driver that opened the function to look at it, and did not take it, may have left it open.
    private async Task TakeBackAsync(IPciFunction function, VariantDriver driver, IVfioPciCore core)
    {
        try
        {
            await Bounded.RunAsync(CloseAsync, options.OperationTimeout, time, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            _logger.LogError(e, "{Function} was left open by {Driver}, and did not close", function.Address, driver.Name);
        }

        async ValueTask<bool> CloseAsync(CancellationToken _)
        {
            await core.CloseAsync(ResetCause.Close).ConfigureAwait(false);
            return true;
        }
    }

    private async Task<(CandidateVerdict Verdict, string? Reason, BoundDevice? Bound)> AskAsync(
        IPciFunction function, VariantDriver driver, IVfioPciCore core, CancellationToken cancellationToken)
    {
        try
        {
            var context = new ProbeContext
            {
                Core = core,
                Controllers = controllers,
                Logger = loggers.CreateLogger($"{driver.Name} {function.Address}"),
                Time = time,
            };

            // What the device can do is asked in the same time: that is the driver's code as well.
            return await Bounded.RunAsync(
                async token => Judge(function, driver, core, await driver.ProbeAsync(context, token).ConfigureAwait(false)),
                options.ProbeTimeout,
                time,
                cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (OverrunException e)
        {
            var reason = $"its probe of {function.Address} {e.Message}";
            if (!e.Heeded)
                _hung.TryAdd(driver.Name, $"not asked again: {reason}");
            return (CandidateVerdict.Failed, reason, null);
        }
        catch (Exception e)
        {
            return (CandidateVerdict.Failed, $"its probe threw {e.GetType().Name}: {GuardedDevice.FirstLine(e.Message)}", null);
        }
    }

    private (CandidateVerdict Verdict, string? Reason, BoundDevice? Bound) Judge(
        IPciFunction function, VariantDriver driver, IVfioPciCore core, ProbeResult? result)
    {
        if (result is null)
            return (CandidateVerdict.Failed, "its probe answered null", null);
        if (result.Outcome == ProbeOutcome.Refused)
            return (CandidateVerdict.Refused, result.Reason ?? "it gave no reason", null);
        if (result.Device is not { } device)
            return (CandidateVerdict.Failed, "its probe took the function and answered no device", null);
        if (!_owners.TryAdd(device, function.Address.ToString()))
            return (
                CandidateVerdict.Failed,
                $"its probe answered a device that it had answered before, for {_owners.GetValue(device, _ => "?")}",
                null);
        var guarded = new GuardedDevice(device, core, driver.Name, options.OperationTimeout, time, loggers.CreateLogger<GuardedDevice>());
        var degraded = result.Outcome == ProbeOutcome.Degraded ? result.Reason ?? "it gave no reason" : null;
        return (
            degraded is null ? CandidateVerdict.Bound : CandidateVerdict.Degraded, degraded, BoundDevice.Of(driver.Name, degraded, guarded));
    }

    private string NoDriver(string? driver, List<CandidateMatch> rows)
    {
        if (driver is null)
            return "no driver took the function";
        return rows.FirstOrDefault(r => r.Driver == driver) is { } row
            ? $"driver '{driver}' did not take the function: {row.Reason}"
            : $"no driver is named '{driver}'; there are {string.Join(", ", table.Drivers.Select(d => d.Driver.Name))}";
    }

    private static string Alias(PciId id)
        => new PciIdMatch
        {
            OverrideOnly = false,
            Vendor = id.Vendor,
            Device = id.Device,
            SubsystemVendor = id.SubsystemVendor,
            SubsystemDevice = id.SubsystemDevice,
            ClassCode = id.ClassCode,
            ClassMask = 0xFFFFFF,
        }.ToString();
}
